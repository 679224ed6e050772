import { setMaxListeners } from 'node:events';
import { DomainError } from '@holdfast/decider';
import type { StoredEvent } from '@holdfast/event-store';
import { type Delivery, parseEvent } from './delivery.ts';
import { errorText, isOutage } from './errors.ts';
import type { BusLogger } from './logger.ts';
import { scopeOf } from './scope.ts';
import { Semaphore } from './semaphore.ts';
import type { DeliveredEvent, EventHandlers, ServiceName } from './types.ts';

export type Outcome = 'handled' | 'skipped' | 'failed' | 'postponed' | 'parked';

export interface LanesOptions {
  /** `<owner>/<consumer>`, for logs. */
  readonly label: string;
  readonly source: ServiceName;
  readonly handlers: EventHandlers;
  readonly concurrency: number;
  /** Failures, outages not counted, after which an event is parked. */
  readonly maxAttempts: number;
  /** Wait after the n-th failure (from 1), in milliseconds. */
  readonly backoffMs: (failures: number) => number;
  readonly logger: BusLogger;
  readonly onOutcome: (outcome: Outcome) => void;
}

type Handler = (event: DeliveredEvent) => Promise<{ retryAfterMs: number } | undefined>;

interface Held {
  readonly delivery: Delivery;
  readonly event: StoredEvent;
  failures: number;
  /** Failures that were not an outage's. */
  attempts: number;
  /** Resolves when the delivery is out of the lanes' hands. */
  readonly settle: (problem: string | null) => void;
}

/** As many may wait for its signal as there are streams. */
export const newStop = (): AbortController => {
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  return stop;
};

/** Wait before trying again to park an event when the bus did not take it, in milliseconds. */
const PARK_RETRY_MS = 1000;

/**
 * Handles events: those of one stream strictly one after the other, those of different streams side by side. An event that
 * fails is tried again here, and holds back its stream's later events until it is handled or parked.
 */
export class Lanes {
  private readonly lanes = new Map<string, Held[]>();
  private readonly held = new Map<string, Held>();
  private readonly permits: Semaphore;
  private stop = newStop();
  private readonly room = new Set<() => void>();

  constructor(private readonly options: LanesOptions) {
    this.permits = new Semaphore(options.concurrency);
  }

  /** Deliveries taken and not yet settled. */
  get size(): number {
    return this.held.size;
  }

  /**
   * Takes a delivery; one that is held already is dropped, since the earlier one will settle it.
   * @returns a promise of null once it is handled, or of what went wrong.
   */
  take(delivery: Delivery): Promise<string | null> {
    if (this.held.has(delivery.key)) return Promise.resolve('it is being handled already');
    let event: StoredEvent;
    try {
      event = parseEvent(delivery.body);
    } catch (error) {
      return this.refuse(delivery, error);
    }
    if (this.handlerOf(event.type) === undefined) {
      this.options.onOutcome('skipped');
      return Promise.resolve(delivery.ack()).then(() => null);
    }
    return new Promise((resolve) => {
      const held: Held = { delivery, event, failures: 0, attempts: 0, settle: resolve };
      this.held.set(delivery.key, held);
      const lane = this.lanes.get(event.streamId);
      if (lane !== undefined) {
        lane.push(held);
        return;
      }
      this.lanes.set(event.streamId, [held]);
      void this.runLane(event.streamId);
    });
  }

  /** Resolves when fewer than `count` deliveries are held, or on `signal`. */
  async roomBelow(count: number, signal: AbortSignal): Promise<void> {
    while (this.held.size >= count && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.room.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        this.room.add(wake);
        signal.addEventListener('abort', wake, { once: true });
      });
    }
  }

  /** Tells the broker that everything held is still being worked on. */
  working(): void {
    for (const { delivery } of this.held.values()) delivery.working();
  }

  /** Finishes the handlers that run and gives everything else back. Afterwards the lanes can be used again. */
  async drain(): Promise<void> {
    this.stop.abort();
    await this.roomBelow(1, new AbortController().signal);
    this.stop = newStop();
  }

  private async runLane(streamId: string): Promise<void> {
    const lane = this.lanes.get(streamId) ?? [];
    for (let held = lane[0]; held !== undefined; held = lane[0]) {
      const problem = await this.settleOne(held);
      lane.shift();
      this.held.delete(held.delivery.key);
      held.settle(problem);
      for (const wake of [...this.room]) wake();
    }
    this.lanes.delete(streamId);
  }

  /** Handles one delivery until it is acknowledged, postponed, parked, or given back because of a stop. */
  private async settleOne(held: Held): Promise<string | null> {
    const { delivery } = held;
    const { signal } = this.stop;
    while (!signal.aborted) {
      try {
        const result = await this.permits.run(() => this.handle(held, signal));
        if (result === 'stopped') break;
        if (result === 'handled') await delivery.ack();
        else delivery.release(result.retryAfterMs);
        this.options.onOutcome(result === 'handled' ? 'handled' : 'postponed');
        return null;
      } catch (error) {
        if (await this.afterFailure(held, error, signal)) return errorText(error);
      }
    }
    delivery.release(0);
    return 'stopped before it was handled';
  }

  private async handle(
    { delivery, event, failures }: Held,
    signal: AbortSignal,
  ): Promise<'handled' | 'stopped' | { retryAfterMs: number }> {
    const handler = this.handlerOf(event.type);
    // A permit may have been long in coming.
    if (signal.aborted || handler === undefined) return 'stopped';
    const { source } = this.options;
    return (
      (await handler({ ...event, service: source, deliveryCount: delivery.deliveryCount + failures })) ?? 'handled'
    );
  }

  /** @returns whether the delivery is settled, because it was parked. */
  private async afterFailure(held: Held, error: unknown, signal: AbortSignal): Promise<boolean> {
    const { logger, maxAttempts, backoffMs, onOutcome, label } = this.options;
    held.failures++;
    if (!isOutage(error)) held.attempts++;
    const { eventId, streamId, type, metadata } = held.event;
    const scope = scopeOf(metadata.caller, `${label}/${type}`);
    const fields = { err: error, ...scope, consumer: label, eventId, streamId, type, failures: held.failures };
    onOutcome('failed');
    if (!(error instanceof DomainError) && held.attempts < (held.delivery.maxAttempts ?? maxAttempts)) {
      logger.warn(fields, 'an event could not be handled and is tried again');
      await this.pause(backoffMs(held.failures), signal);
      return false;
    }
    logger.error(fields, 'an event is parked');
    return this.park(held.delivery, errorText(error), held.attempts, signal);
  }

  private async refuse(delivery: Delivery, error: unknown): Promise<string> {
    const { logger, label } = this.options;
    logger.error({ err: error, consumer: label, subject: delivery.subject }, 'a message that is no event is parked');
    const reason = `not an event: ${errorText(error)}`;
    if (!(await this.park(delivery, reason, 0, this.stop.signal))) delivery.release(0);
    return reason;
  }

  private async park(delivery: Delivery, reason: string, attempts: number, signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted) {
      try {
        await delivery.park(reason, attempts);
        this.options.onOutcome('parked');
        return true;
      } catch (error) {
        this.options.logger.warn({ err: error, consumer: this.options.label }, 'an event could not be parked yet');
        await this.pause(PARK_RETRY_MS, signal);
      }
    }
    return false;
  }

  private handlerOf(type: string): Handler | undefined {
    const { handlers } = this.options;
    return Object.hasOwn(handlers, type) ? (handlers[type] as Handler | undefined) : undefined;
  }

  private pause(milliseconds: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) {
        resolve();
        return;
      }
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      signal.addEventListener('abort', done, { once: true });
    });
  }
}
