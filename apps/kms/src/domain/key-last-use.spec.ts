import { instant } from '@holdfast/contracts';
import { describe, expect, it } from 'vitest';
import { type LastUse, trailingDaysWithoutUse } from './key-last-use.ts';

const at = (text: string) => instant(new Date(text));
const used = (text: string): LastUse => ({ operation: 'Decrypt', at: at(text), eventId: 'e', requestId: 'r' });
const created = at('2026-01-01T12:00:00Z');

describe('kms:TrailingDaysWithoutKeyUsage', () => {
  it.each([
    ['counts whole days only', '2026-03-31T11:59:59.999Z', used('2026-03-01T12:00:00Z'), 29],
    ['counts a day once it is over', '2026-03-31T12:00:00Z', used('2026-03-01T12:00:00Z'), 30],
    ['is zero on the day of the use', '2026-03-01T23:59:59Z', used('2026-03-01T00:00:00Z'), 0],
    ['goes by the creation of a key that was never used', '2026-01-11T12:00:00Z', null, 10],
    ['is not negative when the clock was turned back', '2026-02-01T00:00:00Z', used('2027-01-01T00:00:00Z'), 0],
  ])('%s', (_, now, lastUse, days) => {
    expect(trailingDaysWithoutUse(at(now), lastUse, created)).toBe(days);
  });
});
