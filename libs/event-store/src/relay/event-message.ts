import type { UnreadEvent } from '../types.ts';

/** An event, written as the message that carries it. */
export interface EventMessage {
  readonly eventId: string;
  readonly subject: string;
  /** JSON of the StoredEvent and its `service`. */
  readonly body: string;
  readonly traceparent: string | undefined;
}

export const eventMessage = (service: string, event: UnreadEvent): EventMessage => {
  const { data, metadata, traceparent, ...others } = event;
  const { eventId, type, schemaVersion } = others;
  const rest = JSON.stringify({ ...others, service }).slice(1);
  return {
    eventId,
    subject: `${service}.event.${type}.v${String(schemaVersion)}`,
    body: `{"data":${data},"metadata":${metadata},${rest}`,
    traceparent,
  };
};
