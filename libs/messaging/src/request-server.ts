import { AwsError, type RequestContext } from '@holdfast/contracts';
import { VersionConflict } from '@holdfast/decider';
import type { Msg, NatsConnection, Subscription } from '@nats-io/nats-core';
import { whileConnected } from './connection.ts';
import { InternalError, isOutage, RequestTimeout, ServiceUnavailable } from './errors.ts';
import type { BusLogger } from './logger.ts';
import type { BusMetrics } from './metrics.ts';
import { payloadLimitBytes } from './requester.ts';
import { inScope } from './scope.ts';
import { parseTraceparent } from './trace.ts';
import type { RequestHandlers } from './types.ts';
import { actionOf, decodeContext, type Refusal, requestSubjects, sendOutput, sendRefusal } from './wire.ts';

/** Answered by every request server, to whoever waits for it to be ready. */
export const PING = 'Ping';

export interface ServeOptions {
  /** Handlers that run at once. */
  readonly concurrency?: number;
  /** Requests that may wait for a handler; more are answered with ServiceUnavailable. */
  readonly queueLimit?: number;
  /** Sum of the bodies that may wait, in bytes. */
  readonly queueLimitBytes?: number;
}

interface Arrived {
  readonly message: Msg;
  readonly action: string;
  readonly context: RequestContext;
  readonly arrivedMs: number;
}

type Handler = (input: unknown, context: RequestContext) => Promise<unknown>;

/** Serves one service's requests; replicas share them through the queue group named after the service. */
export class RequestServer {
  private readonly handlers: ReadonlyMap<string, Handler>;
  private readonly subscription: Subscription;
  private readonly concurrency: number;
  private readonly queueLimit: number;
  private readonly queueLimitBytes: number;
  private readonly waiting: Arrived[] = [];
  private waitingBytes = 0;
  private running = 0;
  private readonly idleWaiters: (() => void)[] = [];

  constructor(
    private readonly connection: NatsConnection,
    private readonly service: string,
    handlers: RequestHandlers,
    private readonly logger: BusLogger,
    private readonly metrics: BusMetrics | undefined,
    { concurrency = 64, queueLimit = 1024, queueLimitBytes = 64 * 1024 * 1024 }: ServeOptions = {},
  ) {
    if (Object.hasOwn(handlers, PING)) throw new TypeError(`${PING} is answered by the bus itself`);
    this.handlers = new Map(Object.entries(handlers) as [string, Handler][]);
    this.concurrency = concurrency;
    this.queueLimit = queueLimit;
    this.queueLimitBytes = queueLimitBytes;
    this.subscription = connection.subscribe(requestSubjects(service), {
      queue: service,
      callback: (error, message) => {
        if (error) this.logger.error({ err: error, service }, 'the request subscription failed');
        else this.arrive(message);
      },
    });
  }

  /** Resolves when nothing runs or waits. New requests are still taken. */
  idle(): Promise<void> {
    if (this.running === 0 && this.waiting.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.idleWaiters.push(resolve));
  }

  /** Takes no more requests and finishes those it has. */
  async close(): Promise<void> {
    if (!this.subscription.isClosed() && !this.connection.isClosed()) await whileConnected(this.subscription.drain());
    await this.idle();
  }

  private arrive(message: Msg): void {
    const action = actionOf(message.subject);
    if (action === PING) {
      sendOutput(message, { service: this.service }, payloadLimitBytes(this.connection));
      return;
    }
    const arrivedMs = performance.now();
    let context: RequestContext;
    try {
      context = decodeContext(message);
    } catch (error) {
      this.logger.warn({ err: error, action }, 'a request without a valid context was refused');
      const text = 'The request carries no valid context';
      this.refuse(message, action, arrivedMs, { kind: 'internal', requestId: '', retryable: false, message: text });
      return;
    }
    const arrived = { message, action, context, arrivedMs };
    if (this.running < this.concurrency) this.start(arrived);
    else if (this.hasRoomFor(message)) this.enqueue(arrived);
    else this.refuse(message, action, arrivedMs, { kind: 'unavailable', reason: 'too many requests are waiting' });
  }

  private start(arrived: Arrived): void {
    this.running++;
    void this.serve(arrived).finally(() => {
      this.running--;
      const next = this.dequeue();
      if (next !== undefined) this.start(next);
      else if (this.running === 0) for (const resolve of this.idleWaiters.splice(0)) resolve();
    });
  }

  private hasRoomFor({ data }: Msg): boolean {
    return this.waiting.length < this.queueLimit && this.waitingBytes + data.length <= this.queueLimitBytes;
  }

  private enqueue(arrived: Arrived): void {
    this.waiting.push(arrived);
    this.waitingBytes += arrived.message.data.length;
  }

  private dequeue(): Arrived | undefined {
    const next = this.waiting.shift();
    this.waitingBytes -= next?.message.data.length ?? 0;
    return next;
  }

  private async serve({ message, action, context, arrivedMs }: Arrived): Promise<void> {
    // Nobody waits for the answer any more, so the work must not begin.
    if (Date.now() >= context.deadlineMs) return this.refuse(message, action, arrivedMs, { kind: 'timeout' });
    const span = parseTraceparent(context.traceparent);
    const scope = {
      requestId: context.requestId,
      traceId: span?.traceId ?? '',
      spanId: span?.spanId ?? '',
      work: action,
    };
    await inScope(scope, async () => {
      try {
        const handler = this.handlers.get(action);
        if (handler === undefined) {
          const text = `${this.service} has no request ${action}`;
          return this.refuse(message, action, arrivedMs, {
            kind: 'aws-error', code: 'InvalidAction', message: text, status: 400,
          }); // prettier-ignore
        }
        const output = await handler(message.json(), context);
        sendOutput(message, output, payloadLimitBytes(this.connection));
        this.measure(action, 'ok', arrivedMs);
      } catch (error) {
        this.refuse(message, action, arrivedMs, this.refusalOf(error, action, context));
      }
    });
  }

  private refusalOf(error: unknown, action: string, { requestId }: RequestContext): Refusal {
    if (error instanceof AwsError) {
      const { code, message, status, members } = error;
      return { kind: 'aws-error', code, message: message === '' ? undefined : message, status, members };
    }
    if (error instanceof RequestTimeout) return { kind: 'timeout' };
    if (error instanceof ServiceUnavailable) return { kind: 'unavailable', reason: error.message };
    const retryable =
      error instanceof VersionConflict || isOutage(error) || (error instanceof InternalError && error.retryable);
    // Logged here, once: the caller gets the request id and never the cause.
    this.logger.error({ err: error, action, requestId, retryable }, 'a request failed');
    return { kind: 'internal', requestId, retryable, message: 'An internal error has occurred' };
  }

  private refuse(message: Msg, action: string, arrivedMs: number, refusal: Refusal): void {
    if (!this.connection.isClosed()) sendRefusal(message, refusal);
    this.measure(action, refusal.kind === 'aws-error' ? refusal.code : refusal.kind, arrivedMs);
  }

  private measure(action: string, code: string, arrivedMs: number): void {
    // An unknown action comes from outside; as a label it would let a caller fill the memory.
    const label = this.handlers.has(action) ? action : 'unknown';
    this.metrics?.requests.inc({ service: this.service, action: label, code });
    const seconds = (performance.now() - arrivedMs) / 1000;
    this.metrics?.durationSeconds.observe({ service: this.service, action: label }, seconds);
  }
}
