import type { DecisionRecord } from '@holdfast/iam';
import { silentLogger } from '@holdfast/messaging';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { DecisionLog } from './decision-log.ts';

const record = (requestId: string, filler = ''): DecisionRecord => ({
  ...{ decisionId: requestId, requestId, at: '2026-07-01T12:00:00.000Z', service: 'kms', operation: 'Decrypt' },
  ...{ accountId: '111122223333', region: 'eu-central-1', principalArn: filler, viaService: null, allowed: false },
  ...{ refusal: null, resources: [], steps: [] },
});

let sent: string[][];
let away: boolean;
let log: DecisionLog;

beforeEach(() => {
  vi.useFakeTimers();
  sent = [];
  away = false;
  const request = (_: string, __: string, input: unknown) => {
    if (away) return Promise.reject(new Error('away'));
    sent.push((input as { decisions: DecisionRecord[] }).decisions.map(({ requestId }) => requestId));
    return Promise.resolve({} as never);
  };
  log = new DecisionLog({ request }, silentLogger);
});
afterEach(() => {
  vi.useRealTimers();
});

it('sends a refusal before it is answered, and what waits with it', async () => {
  log.allowed(record('a'));
  await log.refused(record('b'));
  expect(sent).toEqual([['a', 'b']]);
});

it('gathers records of allowed calls, which nobody waits for', async () => {
  log.allowed(record('a'));
  log.allowed(record('b'));
  expect(sent).toEqual([]);
  await vi.advanceTimersByTimeAsync(100);
  expect(sent).toEqual([['a', 'b']]);
});

it('keeps records while audit is away, without holding up the answer', async () => {
  away = true;
  await log.refused(record('a'));
  expect(sent).toEqual([]);
  away = false;
  await vi.advanceTimersByTimeAsync(1000);
  expect(sent).toEqual([['a']]);
});

it('forgets the oldest when too many wait', async () => {
  away = true;
  for (let n = 0; n < 2_010; n += 1) log.allowed(record(String(n)));
  away = false;
  await log.close();
  const all = sent.flat();
  expect([all.length, all[0], all.at(-1)]).toEqual([2_000, '10', '2009']);
});

it('sends no message that the bus would refuse', async () => {
  for (let n = 0; n < 5; n += 1) log.allowed(record(String(n), 'x'.repeat(150_000)));
  await log.close();
  expect(sent).toEqual([['0', '1'], ['2', '3'], ['4']]);
});

it('sends a refusal that comes while others are under way', async () => {
  const first = log.refused(record('a'));
  const second = log.refused(record('b'));
  await Promise.all([first, second]);
  expect(sent.flat()).toEqual(['a', 'b']);
});
