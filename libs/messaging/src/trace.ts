import { randomFillSync } from 'node:crypto';
import { isValidSpanId, isValidTraceId } from '@opentelemetry/api';

/** One hop of a trace, as W3C Trace Context writes it: `00-<trace id>-<span id>-<flags>`. */
export interface TraceSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceparent: string;
}

const FORMAT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

const spanOf = (traceId: string, spanId: string, flags: string): TraceSpan => ({
  traceId,
  spanId,
  traceparent: `00-${traceId}-${spanId}-${flags}`,
});

const POOL_BYTES = 4096;
const pool = Buffer.alloc(POOL_BYTES);
let used = POOL_BYTES;

/** Each request needs some, and a call for a few bytes costs as much as one for thousands. These ids are no secrets. */
const randomHex = (bytes: number): string => {
  if (used + bytes > POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  used += bytes;
  return pool.toString('hex', used - bytes, used);
};

/** Null for an absent or malformed header, which Trace Context says to ignore. */
export const parseTraceparent = (header: string | undefined): TraceSpan | null => {
  const [, traceId = '', spanId = '', flags = ''] = FORMAT.exec(header ?? '') ?? [];
  return isValidTraceId(traceId) && isValidSpanId(spanId) ? spanOf(traceId, spanId, flags) : null;
};

/** A new span of the parent's trace; without a valid parent, the first span of a new one, marked as sampled. */
export const childSpan = (parent: string | undefined): TraceSpan => {
  const known = parseTraceparent(parent);
  const spanId = randomHex(8);
  return known === null
    ? spanOf(randomHex(16), spanId, '01')
    : spanOf(known.traceId, spanId, known.traceparent.slice(-2));
};
