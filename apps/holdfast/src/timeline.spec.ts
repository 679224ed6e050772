import { describe, expect, it } from 'vitest';
import { formatEvent, parseSince } from './timeline.ts';

const now = new Date('2026-03-01T12:00:00Z');

describe('--since', () => {
  it.each([
    ['90s', '2026-03-01T11:58:30.000Z'],
    ['15m', '2026-03-01T11:45:00.000Z'],
    ['2h', '2026-03-01T10:00:00.000Z'],
    ['1d', '2026-02-28T12:00:00.000Z'],
    ['2026-01-31T12:00:00Z', '2026-01-31T12:00:00.000Z'],
  ])('%s', (text, expected) => expect(parseSince(text, now).toISOString()).toBe(expected));

  it.each(['', 'yesterday', '5', '5 m', '-5m', '2026-13-01'])('refuses %j', (text) => {
    expect(() => parseSince(text, now)).toThrow('give a time like 15m');
  });
});

describe('a line of the timeline', () => {
  const event = { service: 'volumes', time: now, streamId: 'volume-vol-1', version: 2, type: 'VolumeResized' };

  it('tells when, whose, which stream and version, what, and the fields', () => {
    const line = formatEvent({ ...event, data: { type: 'VolumeResized', sizeGiB: 8, tags: [{ Key: 'a' }], at: 'x' } });
    expect(line.replaceAll(/ +/g, ' ')).toBe(
      '2026-03-01T12:00:00.000Z volumes volume-vol-1@2 VolumeResized sizeGiB=8 tags=[{"Key":"a"}]',
    );
  });

  it('does not repeat the id that the stream is named by, nor say what is absent', () => {
    const line = formatEvent({ ...event, data: { volumeId: 'vol-1', snapshotId: null } });
    expect(line).toMatch(/VolumeResized$/);
  });

  it('cuts long values', () => {
    expect(formatEvent({ ...event, data: { blob: 'x'.repeat(500) } }).length).toBeLessThan(200);
  });
});
