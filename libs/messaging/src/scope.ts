import type { Caller } from '@holdfast/contracts';
import { parseTraceparent } from './trace.ts';

/** What a log line about a piece of work carries. */
export interface WorkScope {
  readonly requestId: string;
  readonly traceId: string;
  readonly spanId: string;
  /** The action of a request, or `<consumer>/<event type>`. */
  readonly work: string;
}

/**
 * Of a request or an event, for a line about it. Told by whoever logs: an async context that every line could ask for costs a
 * tenth and more of the processor time of every request before Node 24.
 */
export const scopeOf = (
  { requestId, traceparent }: Pick<Caller, 'requestId' | 'traceparent'>,
  work: string,
): WorkScope => {
  const span = parseTraceparent(traceparent);
  return { requestId, traceId: span?.traceId ?? '', spanId: span?.spanId ?? '', work };
};
