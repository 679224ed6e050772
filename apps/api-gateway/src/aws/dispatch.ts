import { type ParsedRequest, unsupportedOperation } from '@holdfast/aws-protocol';
import type { RequestContext } from '@holdfast/contracts';
import type { Requests } from '@holdfast/messaging';
import type { Authorizer } from '../authorization/authorizer.ts';
import type { RequestThrottle } from '../throttling/request-rates.ts';
import { BlockPayloads } from './block-payloads.ts';
import type { BlockStream } from './block-stream.ts';
import { ownerOf } from './operation-owners.ts';
import type { SealedMembers } from './sealed-members.ts';
import type { Tags } from './tags.ts';

/** Sends a parsed request to the service that owns the operation. */
export class Dispatcher {
  constructor(
    private readonly throttle: RequestThrottle,
    private readonly authorizer: Authorizer,
    private readonly requests: Requests,
    private readonly sealed: SealedMembers,
    private readonly tags: Tags,
    private readonly blocks: BlockPayloads,
  ) {}

  /**
   * @throws AwsError as the service answered; UnsupportedOperation for what no service has; the service's refusal of what no
   *   policy allows; ThrottlingException or RequestLimitExceeded of an account that asks too often.
   * @param block the payload, where it is still to come.
   */
  async dispatch(request: ParsedRequest, context: RequestContext, block: BlockStream | null): Promise<unknown> {
    const { service, operation, input } = request;
    const owner = ownerOf(service, operation);
    if (owner === null) throw unsupportedOperation(service, operation);
    this.throttle.check(request, context);
    const denied = await this.authorizer.authorize(request, context);
    if (BlockPayloads.carries(request)) return this.blocks.run(request, context, block);
    if (owner === 'tags') return this.tags.run(operation, input, context);
    const held = denied.length === 0 ? context : { ...context, deniedResources: [...denied] };
    const outbound = await this.sealed.outbound(owner, operation, input, held);
    const output = await this.requests.request<Readonly<Record<string, unknown>>>(
      owner,
      operation,
      outbound.input,
      outbound.context,
    );
    return this.sealed.inbound(owner, operation, output, context);
  }
}
