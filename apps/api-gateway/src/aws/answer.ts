import { randomUUID } from 'node:crypto';
import {
  type Authenticated,
  parseRequest,
  type RawRequest,
  type RawResponse,
  serializeError,
  serializeResponse,
  type ServiceId,
  serviceOf,
  type SignatureVerifier,
} from '@holdfast/aws-protocol';
import { AwsError, type Principal, region, type RequestContext } from '@holdfast/contracts';
import { ConnectionLost, InternalError, RequestTimeout, ServiceUnavailable } from '@holdfast/messaging';
import type { Clock, Logger } from '@holdfast/service-kit';
import type { BlockOutput } from './block-payloads.ts';
import { BlockStream } from './block-stream.ts';
import type { Dispatcher } from './dispatch.ts';
import { internalFailure, requestTooLarge, unavailable } from './gateway-errors.ts';

/** How long a caller waits at most, in milliseconds; SDKs give up after a minute. */
const DEADLINE_MS = 30_000;

export interface Observer {
  answered(service: string, operation: string, code: string, seconds: number): void;
}

export interface Client {
  ip: string;
  userAgent: string;
  traceparent?: string;
}

/** `release`: the body's memory is used again; nobody may read it any more. */
export interface Answer extends RawResponse {
  readonly release?: () => void;
}

const NO_BODY = Buffer.alloc(0);

interface Work {
  readonly requestId: string;
  readonly client: Client;
  readonly progress: { operation: string };
}

/** A request's way: who is it, what do they want, who answers, and how does AWS say that. */
export class AwsAnswers {
  constructor(
    private readonly verifier: SignatureVerifier<Principal>,
    private readonly dispatcher: Dispatcher,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly observer: Observer,
  ) {}

  /** Never throws. `body` null: longer than may be. */
  async answer(request: Omit<RawRequest, 'body'>, body: Buffer | BlockStream | null, client: Client): Promise<Answer> {
    const requestId = randomUUID();
    const started = performance.now();
    const raw: RawRequest = { ...request, body: Buffer.isBuffer(body) ? body : NO_BODY };
    const service = serviceOf(raw);
    const progress = { operation: 'Unknown', code: 'OK' };
    let response: Answer;
    try {
      if (body === null) throw requestTooLarge(service);
      const work = { requestId, client, progress };
      response = await (body instanceof BlockStream
        ? this.carryOutStreamed(raw, body, work)
        : this.carryOut(raw, null, work));
    } catch (error) {
      const shape = this.asAwsError(error, service, requestId);
      progress.code = shape.code;
      response = serializeError(service, shape, { requestId, now: this.clock.now() });
    }
    const seconds = (performance.now() - started) / 1000;
    this.observer.answered(service ?? 'unknown', progress.operation, progress.code, seconds);
    this.logger.info(
      { requestId, service, operation: progress.operation, code: progress.code, status: response.status, seconds },
      'answered',
    );
    return response;
  }

  /**
   * The signature may cover the body's SHA-256, and the host proves that the body has the one that its client told. Whatever
   * does not fit is found out from the body as a whole, so that it is refused for the right reason.
   */
  private async carryOutStreamed(raw: RawRequest, block: BlockStream, work: Work): Promise<Answer> {
    try {
      return await this.carryOut({ ...raw, promisedSha256: block.promisedSha256 }, block, work);
    } catch (error) {
      if (!(error instanceof AwsError) || error.code !== 'InvalidSignatureException') throw error;
      return await this.carryOut({ ...raw, body: await block.whole() }, block, work);
    }
  }

  private async carryOut(
    raw: RawRequest,
    block: BlockStream | null,
    { requestId, client, progress }: Work,
  ): Promise<Answer> {
    const caller = await this.verifier.authenticate(raw);
    const parsed = parseRequest(raw);
    progress.operation = parsed.operation;
    const output = await this.dispatcher.dispatch(parsed, contextOf(caller, requestId, client), block);
    const payload = payloadOf(output);
    const context = { requestId, now: this.clock.now(), payload };
    const response = serializeResponse(parsed.service, parsed.operation, output, context);
    const { release } = (output ?? {}) as BlockOutput;
    return release === undefined ? response : { ...response, release };
  }

  private asAwsError(error: unknown, service: ServiceId | null, requestId: string): AwsError {
    if (error instanceof AwsError) return error;
    if (isOutage(error)) {
      this.logger.warn({ err: error, requestId }, 'a service could not be reached');
      return unavailable(service);
    }
    this.logger.error({ err: error, requestId }, 'a request failed');
    return internalFailure(service);
  }
}

/** The bytes of an answer that is no text: a block of GetSnapshotBlock. */
const payloadOf = (output: unknown): Buffer | undefined => {
  const block = (output as { BlockData?: unknown } | null)?.BlockData;
  return Buffer.isBuffer(block) ? block : undefined;
};

/** What a client may try again; with a client token, or what the SDK sends as one, without doing it twice. */
const isOutage = (error: unknown): boolean =>
  error instanceof ServiceUnavailable ||
  error instanceof ConnectionLost ||
  error instanceof RequestTimeout ||
  (error instanceof InternalError && error.retryable);

const contextOf = (
  { principal, region: regionName }: Authenticated<Principal>,
  requestId: string,
  client: Client,
): RequestContext => ({
  requestId,
  accountId: principal.accountId,
  region: region(regionName),
  principal,
  sourceIp: client.ip,
  userAgent: client.userAgent,
  ...(client.traceparent === undefined ? {} : { traceparent: client.traceparent }),
  deadlineMs: Date.now() + DEADLINE_MS,
});
