import { describe, expect, it } from 'vitest';
import { EventSchemas, type Upcaster } from './upcasters.ts';
// One stored sample per version stays for ever: what was written once must be read for ever.
import v1 from './test-vectors/counted.v1.json' with { type: 'json' };
import v2 from './test-vectors/counted.v2.json' with { type: 'json' };

const upcasters: Upcaster[] = [
  { type: 'Counted', from: 1, upcast: ({ amount, ...rest }) => ({ ...rest, by: amount }) },
];

describe('event schemas', () => {
  const schemas = new EventSchemas(upcasters);

  it.each([v1, v2])('read the stored sample of version $schemaVersion', ({ schemaVersion, data, current }) => {
    expect(schemas.upcast('Counted', schemaVersion, data)).toEqual({ schemaVersion: 2, data: current });
  });

  it('leave what is stored as it is', () => {
    const stored = Object.freeze({ ...v1.data });
    schemas.upcast('Counted', 1, stored);
    expect(stored).toEqual(v1.data);
  });

  it('write the version after the last upcaster, and 1 without any', () => {
    expect(schemas.currentVersion('Counted')).toBe(2);
    expect(schemas.currentVersion('Cleared')).toBe(1);
  });

  it('refuse what a newer program wrote', () => {
    expect(() => schemas.upcast('Counted', 3, {})).toThrow('newer than this program');
  });

  it.each([
    ['a gap', [1, 3]],
    ['a repetition', [1, 1]],
    ['a late start', [2]],
  ])('refuse a chain with %s', (_, versions) => {
    const chain = versions.map((from) => ({ type: 'Counted', from, upcast: (data: object) => ({ ...data }) }));
    expect(() => new EventSchemas(chain)).toThrow(TypeError);
  });
});
