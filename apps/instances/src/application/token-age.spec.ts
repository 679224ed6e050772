import { livingToken } from '@holdfast/ec2';
import { expect, it } from 'vitest';
import { usedAt } from './token-age.ts';

const HOUR = 3_600_000;
const begin = Date.parse('2026-01-01T00:00:00.000Z');

it.each([
  ['stands for its launch', 11.9, { at: new Date(begin).toISOString() }, true],
  ['is forgotten after 12 hours', 12.1, { at: new Date(begin).toISOString() }, false],
  ['stored without its time is never forgotten', 100, {}, true],
])('a token %s', async (_says, hours, result, stands) => {
  const stored = { scope: 's', token: 't', result };
  const now = new Date(begin + hours * HOUR);
  const find = (scope: string) => Promise.resolve(scope === 's' ? stored : null);
  const found = await livingToken({ ...stored, result: {} }, find, (token) => usedAt(token.result, now), now);
  expect(found.stored !== null).toBe(stands);
});
