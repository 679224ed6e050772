import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findZeroParts, isOnePartOfData, ZERO_RUN_BYTES as RUN } from './zero-parts.ts';

/** What the parts are, as text: `d` data, `z` zeros, with their lengths. */
const partsOf = (bytes: Buffer, mayDivide = true): string =>
  findZeroParts(Buffer.concat([Buffer.alloc(5, 1), bytes]), 5, bytes.length, mayDivide)
    .map(({ start, end, isZero }) => `${isZero ? 'z' : 'd'}${end - start}`)
    .join(' ');
const data = (length: number) => Buffer.alloc(length, 1);
const zeros = (length: number) => Buffer.alloc(length);

describe('the parts of a read', () => {
  it.each([
    ['only data', [data(100)], 'd100'],
    ['only zeros', [zeros(4096)], 'z4096'],
    ['too few bytes for a chunk of their own', [zeros(59)], 'd59'],
    ['just enough', [zeros(60)], 'z60'],
    ['zeros between', [data(RUN), zeros(2 * RUN), data(7)], `d${RUN} z${2 * RUN} d7`],
    ['zeros that end in a short run', [data(RUN), zeros(RUN + 3)], `d${RUN} z${RUN + 3}`],
    ['a short run of zeros behind data', [data(RUN), zeros(10)], `d${RUN + 10}`],
    ['data only at the end of a run', [zeros(RUN - 1), data(1), zeros(RUN)], `d${RUN} z${RUN}`],
    ['data only in the middle of a run', [zeros(100), data(1), zeros(RUN - 101)], `d${RUN}`],
  ])('%s', (_, pieces, expected) => {
    expect(partsOf(Buffer.concat(pieces))).toBe(expected);
  });

  it('are one where the client wants one', () => {
    expect(partsOf(Buffer.concat([zeros(RUN), data(RUN)]), false)).toBe(`d${2 * RUN}`);
    expect(partsOf(Buffer.concat([data(RUN), zeros(RUN)]), false)).toBe(`d${2 * RUN}`);
    expect(partsOf(zeros(3 * RUN), false)).toBe(`z${3 * RUN}`);
  });

  it('cover it, alternate, and call nothing zeros that is not', () => {
    const piece = fc.tuple(
      fc.boolean(),
      fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 3 * RUN })),
    );
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 5 }), (pieces) => {
        const bytes = Buffer.concat(pieces.map(([isZero, length]) => (isZero ? zeros(length) : data(length))));
        const parts = findZeroParts(bytes, 0, bytes.length, true);
        parts.forEach((part, index) => {
          expect(part.start).toBe(index === 0 ? 0 : parts[index - 1]!.end);
          if (index > 0) expect(part.isZero).not.toBe(parts[index - 1]!.isZero);
          if (part.isZero) expect(bytes.subarray(part.start, part.end).equals(zeros(part.end - part.start))).toBe(true);
          // There the headers of this chunk and of the next are laid.
          if (part.isZero) expect(part.end - part.start).toBeGreaterThanOrEqual(60);
        });
        if (isOnePartOfData(bytes, 0, bytes.length))
          expect(parts).toEqual([{ start: 0, end: bytes.length, isZero: false }]);
        expect(parts.at(-1)?.end).toBe(bytes.length);
      }),
    );
  });
});
