import type { ParkedEvent } from '@holdfast/messaging';
import { describe, expect, it } from 'vitest';
import { discardParked, listParked, retryParked } from './parked.ts';

const event = (id: number): ParkedEvent => ({
  id: String(id),
  owner: 'snapshots',
  consumer: 'copies',
  subject: 'volumes.event.VolumeCreated.v1',
  reason: 'Error: disk full',
  attempts: 8,
  parkedAt: new Date('2026-03-01T12:00:00Z'),
  event: {},
});

/** As many parked events as told; those with an even id can be handled now. */
const parkedEvents = (count: number) => {
  const ids = new Set(Array.from({ length: count }, (_, index) => String(index + 1)));
  return {
    ids,
    list: async ({ limit = 1000, after = '0' } = {}) =>
      [...ids]
        .filter((id) => Number(id) > Number(after))
        .slice(0, limit)
        .map((id) => event(Number(id))),
    retry: async (id: string) => {
      if (!ids.has(id)) return 'no such parked event';
      if (id === '3') throw new Error('no responders');
      return Number(id) % 2 === 0 && ids.delete(id) ? null : 'Error: disk full';
    },
    discard: async (id: string) => ids.delete(id),
  };
};
const printed = async <T>(work: (print: (line: string) => void) => Promise<T>) => {
  const lines: string[] = [];
  return { result: await work((line) => lines.push(line)), lines };
};

describe('parked events', () => {
  it('are listed all, however many, with their reason', async () => {
    const { lines } = await printed((print) => listParked(parkedEvents(2500), print));
    expect(lines).toHaveLength(5000);
    expect(lines[0]).toContain('snapshots/copies  volumes.event.VolumeCreated.v1  8 attempts');
    expect(lines[1]).toContain('disk full');
    expect((await printed((print) => listParked(parkedEvents(0), print))).lines).toEqual(['nothing is parked']);
  });

  it('are tried again one by one; what fails is told and stays', async () => {
    const parked = parkedEvents(4);
    const { result, lines } = await printed((print) => retryParked(parked, [], true, print));
    expect(result).toBe(false);
    expect(lines.map((line) => line.trim())).toEqual([
      '1  Error: disk full',
      '2  handled',
      '3  no responders',
      '4  handled',
    ]);
    expect([...parked.ids]).toEqual(['1', '3']);
    expect((await printed((print) => retryParked(parkedEvents(4), ['2', '4'], false, print))).result).toBe(true);
  });

  it('are dropped only by name or all', async () => {
    const parked = parkedEvents(3);
    expect((await printed((print) => discardParked(parked, ['2'], false, print))).result).toBe(true);
    expect((await printed((print) => discardParked(parked, ['2'], false, print))).result).toBe(false);
    await expect(discardParked(parked, [], false, () => undefined)).rejects.toThrow('name the ids');
    await expect(discardParked(parked, ['1'], true, () => undefined)).rejects.toThrow('name the ids');
    await expect(discardParked(parked, ['1', 'x'], false, () => undefined)).rejects.toThrow('x is no id');
    expect([...parked.ids]).toEqual(['1', '3']);
  });
});
