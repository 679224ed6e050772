import type { ParsedRequest } from '@holdfast/aws-protocol';
import { type AnswerHead, type BlockAnswer, BlockWireClient } from '@holdfast/block-wire';
import { AwsError, type RequestContext } from '@holdfast/contracts';
import { type Requests, ServiceUnavailable } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import { BlockLeaves } from './block-leaves.ts';
import type { BlockStream } from './block-stream.ts';
import { wholeBlock } from './block-stream.ts';

const BLOCK_SIZE_BYTES = 524_288;
const MAX_CONNECTIONS = 128;
/** Half of what a host allows. */
const CONNECTION_IDLE_MS = 30_000;
const ALGORITHM = 'SHA256';
/** With less time left nothing is tried again. */
const TOO_LATE_MS = 100;

type Refusal = NonNullable<AnswerHead['refused']>;

const invalid = (Reason: string, message: string) =>
  new AwsError({ code: 'ValidationException', message, members: { Reason } });

const unreadable = () => invalid('INVALID_PARAMETER_VALUE', 'Failed to read block data');

/** Null: the client is not to blame that its block did not get through. */
const failureOf = ({ hasCome, isBroken }: BlockStream, deadlineMs: number): AwsError | null => {
  if (isBroken) return unreadable();
  if (hasCome || Date.now() < deadlineMs - TOO_LATE_MS) return null;
  return invalid('WRITE_REQUEST_TIMEOUT', 'The block data was not received in time');
};

const refusalOf = ({ code, message }: Refusal, expected: string): Error => {
  switch (code) {
    case 'ChecksumMismatch':
      return new AwsError({
        code: 'InvalidSignatureException',
        message: `The value passed in as x-amz-Checksum does not match the computed checksum. Computed checksum: ${message} expected checksum: ${expected}`,
      });
    case 'ConflictingBlockUpdate':
      return invalid('CONFLICTING_BLOCK_UPDATE', 'The block is being updated by another request');
    case 'NoSuchBlock':
      return invalid('INVALID_BLOCK', 'The snapshot has no such block');
    case 'UploadClosed':
      return invalid('INVALID_SNAPSHOT_ID', 'Snapshot is already completed');
    case 'WrongLength':
      return unreadable();
    default:
      return new Error(`a block host answers ${code}: ${message}`);
  }
};

/**
 * PutSnapshotBlock and GetSnapshotBlock: `snapshots` says who may and where, for some seconds at a time, and the block itself
 * goes straight between this process and the host that keeps it. Blocks never cross the bus.
 */
export class BlockPayloads {
  private readonly hosts = new BlockWireClient({ maxConnections: MAX_CONNECTIONS, idleMs: CONNECTION_IDLE_MS });

  private constructor(private readonly leaves: BlockLeaves) {}

  static async create(requests: Requests, clock: Clock): Promise<BlockPayloads> {
    return new BlockPayloads(await BlockLeaves.create(requests, clock));
  }

  static carries({ service, operation }: ParsedRequest): boolean {
    return service === 'ebs' && (operation === 'PutSnapshotBlock' || operation === 'GetSnapshotBlock');
  }

  /**
   * @param stream the block of a PutSnapshotBlock, where it is still to come.
   * @returns the operation's output; GetSnapshotBlock's has the block as `BlockData`, and `release` gives its memory back.
   * @throws AwsError
   */
  async run(request: ParsedRequest, context: RequestContext, stream: BlockStream | null): Promise<BlockOutput> {
    const { operation, input, payload } = request;
    const isPut = operation === 'PutSnapshotBlock';
    const checksum = typeof input['Checksum'] === 'string' ? input['Checksum'] : '';
    if (isPut && stream === null && payload?.length !== input['DataLength'] && input['DataLength'] === BLOCK_SIZE_BYTES)
      throw unreadable();
    const source = isPut ? (stream ?? wholeBlock(payload ?? Buffer.alloc(0))) : null;
    for (const renewed of [false, true]) {
      const { endpoint, ticket } = await this.leaves.ticket(request, context, renewed);
      const answer = await this.hosts.send(endpoint, ticket, source, context.deadlineMs).catch((error: unknown) => {
        const failure = stream === null ? null : failureOf(stream, context.deadlineMs);
        if (failure !== null) throw failure;
        // The host's process may have been started anew, or elsewhere.
        if (renewed) throw new ServiceUnavailable('a block host', operation, context.requestId, String(error));
        return null;
      });
      if (answer === null) continue;
      if (answer.refused === undefined) return this.outputOf(isPut, answer, checksum);
      if (renewed || answer.refused.code !== 'TicketRefused') throw refusalOf(answer.refused, checksum);
    }
    throw new Error('unreachable: the second round answers or throws');
  }

  /** Called by Nest when the service closes. */
  onApplicationShutdown(): void {
    this.hosts.destroy();
    this.leaves.destroy();
  }

  private outputOf(isPut: boolean, { block, checksum }: BlockAnswer, given: string): BlockOutput {
    if (isPut) return { Checksum: given, ChecksumAlgorithm: ALGORITHM };
    if (block === null) throw new Error('a block host answered without a block');
    const output = { DataLength: block.length, Checksum: checksum, ChecksumAlgorithm: ALGORITHM, BlockData: block };
    return Object.defineProperty(output, 'release', { value: () => this.hosts.giveBack(block) });
  }
}

export interface BlockOutput extends Record<string, unknown> {
  /** Of a block that was got: nobody reads its memory any more. */
  readonly release?: () => void;
}
