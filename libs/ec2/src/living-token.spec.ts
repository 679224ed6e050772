import { expect, it } from 'vitest';
import { livingToken } from './living-token.ts';

const stored = new Map<string, { scope: string; token: string; at: string }>();
const use = async (token: string, at: string) => {
  const find = (scope: string, name: string) => Promise.resolve(stored.get(`${scope} ${name}`) ?? null);
  const living = await livingToken({ scope: 's', token, at }, find, (entry) => entry.at, new Date(at));
  if (living.stored === null) stored.set(`${living.token.scope} ${token}`, living.token);
  return living.stored?.at ?? 'new';
};

it('stands for its first request for twelve hours, and for a new one after that, again and again', async () => {
  expect(await use('t', '2026-01-01T00:00:00.000Z')).toBe('new');
  expect(await use('t', '2026-01-01T11:59:59.999Z')).toBe('2026-01-01T00:00:00.000Z');
  expect(await use('t', '2026-01-01T12:00:00.000Z')).toBe('new');
  expect(await use('t', '2026-01-01T23:00:00.000Z')).toBe('2026-01-01T12:00:00.000Z');
  expect(await use('t', '2026-01-03T00:00:00.000Z')).toBe('new');
  expect(await use('t#2', '2026-01-03T00:00:00.000Z')).toBe('new');
});
