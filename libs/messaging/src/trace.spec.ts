import { describe, expect, it } from 'vitest';
import { childSpan, parseTraceparent } from './trace.ts';

// https://www.w3.org/TR/trace-context/#examples-of-http-traceparent-headers
const SAMPLED = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

describe('a trace parent', () => {
  it('is read as W3C writes it', () => {
    expect(parseTraceparent(SAMPLED)).toEqual({
      traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
      spanId: '00f067aa0ba902b7',
      traceparent: SAMPLED,
    });
  });

  it.each([
    undefined,
    '',
    `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
    `00-4bf92f3577b34da6a3ce929d0e0e4736-${'0'.repeat(16)}-01`,
    SAMPLED.toUpperCase(),
    `${SAMPLED}-more`,
    `01${SAMPLED.slice(2)}`,
  ])('%s is ignored', (header) => expect(parseTraceparent(header)).toBeNull());

  it('has children in the same trace, with the same flags', () => {
    const child = childSpan(SAMPLED.replace(/01$/, '00'));
    expect(child.traceparent).toMatch(/^00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-00$/);
    expect(child.spanId).not.toBe('00f067aa0ba902b7');
  });

  it('begins a trace where there is none', () => {
    const [one, other] = [childSpan(undefined), childSpan('nonsense')];
    expect(parseTraceparent(one.traceparent)).toEqual(one);
    expect(one.traceId).not.toBe(other.traceId);
  });
});
