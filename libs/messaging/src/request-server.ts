import { AwsError, type RequestContext } from '@holdfast/contracts';
import { VersionConflict } from '@holdfast/decider';
import type { Msg, NatsConnection, Subscription } from '@nats-io/nats-core';
import { whileConnected } from './connection.ts';
import { InternalError, isOutage, RequestTimeout, ServiceUnavailable } from './errors.ts';
import type { LocalResponder, ResponderGroup } from './local-responders.ts';
import type { BusLogger } from './logger.ts';
import type { BusMetrics } from './metrics.ts';
import { PING } from './ping.ts';
import { payloadLimitBytes } from './requester.ts';
import { scopeOf } from './scope.ts';
import type { RequestHandlers } from './types.ts';
import {
  type Envelope,
  envelopeOf,
  readContext,
  type Refusal,
  type Reply,
  requestSubjects,
  respond,
  writeOutput,
  writeRefusal,
} from './wire.ts';

export interface ServeOptions {
  /** Handlers that run at once. */
  readonly concurrency?: number;
  /** Requests that may wait for a handler; more are answered with ServiceUnavailable. */
  readonly queueLimit?: number;
  /** Sum of the bodies that may wait, in bytes. */
  readonly queueLimitBytes?: number;
}

/** A request, wherever it came from, and the way of its answer. */
interface Incoming {
  readonly envelope: Envelope;
  answer(reply: Reply): void;
}

interface Arrived extends Incoming {
  readonly context: RequestContext;
  readonly arrivedMs: number;
}

type Handler = (input: unknown, context: RequestContext) => Promise<unknown>;

/**
 * Serves one service's requests; replicas share them through the queue group named after the service. Those of its own
 * process, if it has a group of local responders, reach it without the broker, and are taken like all others.
 */
export class RequestServer implements LocalResponder {
  private readonly handlers: ReadonlyMap<string, Handler>;
  private readonly subscription: Subscription;
  private readonly concurrency: number;
  private readonly queueLimit: number;
  private readonly queueLimitBytes: number;
  private readonly waiting: Arrived[] = [];
  private waitingBytes = 0;
  private running = 0;
  /** Delivered by this process and not yet taken. */
  private coming = 0;
  private closing = false;
  private readonly idleWaiters: (() => void)[] = [];

  constructor(
    private readonly connection: NatsConnection,
    private readonly service: string,
    handlers: RequestHandlers,
    private readonly logger: BusLogger,
    private readonly metrics: BusMetrics | undefined,
    private readonly group: ResponderGroup | undefined,
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
        else this.arrive(this.incoming(message));
      },
    });
    group?.add(service, this);
  }

  get isTaking(): boolean {
    return !this.closing && !this.connection.isClosed();
  }

  /** At the next turn of the event loop: who asks again and again must not keep sockets and timers from their turn. */
  deliver(envelope: Envelope, answer: (reply: Reply) => void): void {
    this.coming++;
    setImmediate(() => {
      this.coming--;
      this.arrive({ envelope, answer });
      this.wakeIdleWaiters();
    });
  }

  /** Resolves when nothing runs or waits. New requests are still taken. */
  idle(): Promise<void> {
    if (this.isIdle) return Promise.resolve();
    return new Promise((resolve) => this.idleWaiters.push(resolve));
  }

  /** Takes no more requests and finishes those it has. */
  async close(): Promise<void> {
    this.closing = true;
    this.group?.remove(this.service, this);
    if (!this.subscription.isClosed() && !this.connection.isClosed()) await whileConnected(this.subscription.drain());
    await this.idle();
  }

  private get isIdle(): boolean {
    return this.running === 0 && this.waiting.length === 0 && this.coming === 0;
  }

  private wakeIdleWaiters(): void {
    if (this.isIdle) for (const resolve of this.idleWaiters.splice(0)) resolve();
  }

  private incoming(message: Msg): Incoming {
    const answer = (reply: Reply) => {
      if (!this.connection.isClosed()) respond(message, reply);
    };
    return { envelope: envelopeOf(message), answer };
  }

  private arrive(incoming: Incoming): void {
    const { envelope } = incoming;
    if (envelope.action === PING) {
      incoming.answer(writeOutput({ service: this.service }, payloadLimitBytes(this.connection)));
      return;
    }
    const arrivedMs = performance.now();
    let context: RequestContext;
    try {
      context = readContext(envelope);
    } catch (error) {
      this.logger.warn({ err: error, action: envelope.action }, 'a request without a valid context was refused');
      const text = 'The request carries no valid context';
      this.refuse(incoming, arrivedMs, { kind: 'internal', requestId: '', retryable: false, message: text });
      return;
    }
    const arrived = { ...incoming, context, arrivedMs };
    if (this.running < this.concurrency) this.start(arrived);
    else if (this.hasRoomFor(envelope)) this.enqueue(arrived);
    else this.refuse(incoming, arrivedMs, { kind: 'unavailable', reason: 'too many requests are waiting' });
  }

  private start(arrived: Arrived): void {
    this.running++;
    void this.serve(arrived).finally(() => {
      this.running--;
      const next = this.dequeue();
      if (next !== undefined) this.start(next);
      else this.wakeIdleWaiters();
    });
  }

  private hasRoomFor({ sizeBytes }: Envelope): boolean {
    return this.waiting.length < this.queueLimit && this.waitingBytes + sizeBytes <= this.queueLimitBytes;
  }

  private enqueue(arrived: Arrived): void {
    this.waiting.push(arrived);
    this.waitingBytes += arrived.envelope.sizeBytes;
  }

  private dequeue(): Arrived | undefined {
    const next = this.waiting.shift();
    this.waitingBytes -= next?.envelope.sizeBytes ?? 0;
    return next;
  }

  private async serve(arrived: Arrived): Promise<void> {
    const { envelope, context, arrivedMs } = arrived;
    const { action, body } = envelope;
    // Nobody waits for the answer any more, so the work must not begin.
    if (Date.now() >= context.deadlineMs) return this.refuse(arrived, arrivedMs, { kind: 'timeout' });
    try {
      const handler = this.handlers.get(action);
      if (handler === undefined) {
        const message = `${this.service} has no request ${action}`;
        return this.refuse(arrived, arrivedMs, { kind: 'aws-error', code: 'InvalidAction', message, status: 400 });
      }
      const output = await handler(JSON.parse(body), context);
      arrived.answer(writeOutput(output, payloadLimitBytes(this.connection)));
      this.measure(action, 'ok', arrivedMs);
    } catch (error) {
      this.refuse(arrived, arrivedMs, this.refusalOf(error, action, context));
    }
  }

  private refusalOf(error: unknown, action: string, context: RequestContext): Refusal {
    if (error instanceof AwsError) {
      const { code, message, status, members } = error;
      return { kind: 'aws-error', code, message: message === '' ? undefined : message, status, members };
    }
    if (error instanceof RequestTimeout) return { kind: 'timeout' };
    if (error instanceof ServiceUnavailable) return { kind: 'unavailable', reason: error.message };
    const retryable =
      error instanceof VersionConflict || isOutage(error) || (error instanceof InternalError && error.retryable);
    // Logged here, once: the caller gets the request id and never the cause.
    this.logger.error({ err: error, ...scopeOf(context, action), retryable }, 'a request failed');
    const { requestId } = context;
    return { kind: 'internal', requestId, retryable, message: 'An internal error has occurred' };
  }

  private refuse({ envelope, answer }: Incoming, arrivedMs: number, refusal: Refusal): void {
    answer(writeRefusal(refusal));
    this.measure(envelope.action, refusal.kind === 'aws-error' ? refusal.code : refusal.kind, arrivedMs);
  }

  private measure(action: string, code: string, arrivedMs: number): void {
    // An unknown action comes from outside; as a label it would let a caller fill the memory.
    const label = this.handlers.has(action) ? action : 'unknown';
    this.metrics?.requests.inc({ service: this.service, action: label, code });
    const seconds = (performance.now() - arrivedMs) / 1000;
    this.metrics?.durationSeconds.observe({ service: this.service, action: label }, seconds);
  }
}
