import type { InternalRequests, RequestContext } from '@holdfast/contracts';
import type { DomainEvent, StoredEvent } from '@holdfast/event-store';

export type ServiceName =
  'account-settings' | 'audit' | 'data-plane' | 'identity' | 'instances' | 'kms' | 'snapshots' | 'volumes';

/** By action name. What it returns is the reply; AwsError crosses the bus as it is, anything else as an internal error. */
export type RequestHandlers = Readonly<Record<string, (input: never, context: RequestContext) => Promise<unknown>>>;

export interface Requests {
  /**
   * Sends `<service>.request.<action>.v1` and waits for the reply until `context.deadlineMs`.
   * @throws AwsError as the service threw it; RequestTimeout; ServiceUnavailable when nobody serves the subject.
   */
  request<Output>(service: ServiceName, action: string, input: unknown, context: RequestContext): Promise<Output>;
  /** The same, for the requests that contracts declares. */
  call<Service extends keyof InternalRequests, Action extends keyof InternalRequests[Service] & string>(
    service: Service,
    action: Action,
    input: InternalRequests[Service][Action] extends { in: infer In } ? In : never,
    context: RequestContext,
  ): Promise<InternalRequests[Service][Action] extends { out: infer Out } ? Out : never>;
}

/** An event as a consumer receives it. */
export interface DeliveredEvent<Event extends DomainEvent = DomainEvent> extends StoredEvent<Event> {
  readonly service: ServiceName;
  /** 1 on the first delivery. */
  readonly deliveryCount: number;
}

/**
 * Handlers by event type; types without one are acknowledged unseen. Returning acknowledges; throwing redelivers with
 * backoff and, after the last attempt, parks; a DomainError parks at once. `retryAfterMs` asks for the event again without
 * counting as a failure: what a process manager returns while it waits for something. Must be idempotent.
 */
export type EventHandlers = Readonly<
  // eslint-disable-next-line @typescript-eslint/no-invalid-void-type -- most handlers return nothing, on every path
  Record<string, (event: DeliveredEvent<never>) => Promise<void | { retryAfterMs: number }>>
>;

export interface ConsumerOptions {
  /** Durable name, unique with `owner`: replicas of a service share it. */
  readonly name: string;
  readonly owner: ServiceName;
  /** Whose events. */
  readonly source: ServiceName;
  readonly handlers: EventHandlers;
  /** Events of one stream are handled one after the other, of different streams up to this many at once. */
  readonly concurrency?: number;
  /** Failures after which an event is parked. Outages do not count: they end, and nothing is wrong with the event. */
  readonly maxAttempts?: number;
  /** Wait after the n-th failure (from 1), in milliseconds; later events of the same stream wait with it. */
  readonly backoffMs?: (failures: number) => number;
  /** How long a replica may be silent before its events go to another one, in milliseconds. */
  readonly ackWaitMs?: number;
}
