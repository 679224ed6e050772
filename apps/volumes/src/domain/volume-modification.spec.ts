import { type Instant, instant } from '@holdfast/contracts';
import { describe, expect, it } from 'vitest';
import { type ModificationRequest, modifiedConfiguration, nextModificationAt } from './volume-modification.ts';
import type { VolumeConfiguration, VolumeType } from './volume-type-limits.ts';

type Short = [VolumeType, number, number | null, number | null, 'shared'?];
const of = ([volumeType, sizeGiB, iops, throughputMiBps, shared]: Short): VolumeConfiguration => ({
  volumeType,
  sizeGiB,
  iops,
  throughputMiBps,
  multiAttachEnabled: shared === 'shared',
});

describe('a modified volume', () => {
  it.each<[Short, ModificationRequest, Short]>([
    [['gp2', 8, 100, null], { sizeGiB: 100 }, ['gp2', 100, 300, null]],
    [['gp2', 8, 100, null], { sizeGiB: 8 }, ['gp2', 8, 100, null]],
    [['gp2', 8, 100, null], { volumeType: 'gp3' }, ['gp3', 8, 3000, 125]],
    [['gp2', 200, 600, null], { volumeType: 'gp3' }, ['gp3', 200, 3000, 150]],
    [['gp2', 500, 1500, null], { volumeType: 'gp3' }, ['gp3', 500, 3000, 250]],
    [['gp2', 2000, 6000, null], { volumeType: 'GP3' }, ['gp3', 2000, 6000, 250]],
    [['gp2', 8, 100, null], { volumeType: 'gp3', iops: 4000, throughputMiBps: 130 }, ['gp3', 8, 4000, 130]],
    [['gp2', 100, 300, null], { volumeType: 'io1' }, ['io1', 100, 3000, null]],
    [['io1', 100, 5000, null], { volumeType: 'io2' }, ['io2', 100, 3000, null]],
    [['io1', 100, 500, null], { sizeGiB: 200 }, ['io1', 200, 500, null]],
    [['io1', 100, 500, null], { iops: 600 }, ['io1', 100, 600, null]],
    [['io1', 200, 5000, null], { volumeType: 'gp3' }, ['gp3', 200, 3000, 125]],
    [['gp3', 100, 6000, 500], { sizeGiB: 200 }, ['gp3', 200, 6000, 500]],
    [['gp3', 100, 6000, 500], { throughputMiBps: 600 }, ['gp3', 100, 6000, 600]],
    [['gp3', 200, 6000, 500], { volumeType: 'st1' }, ['st1', 200, null, null]],
    [['standard', 8, null, null], { volumeType: 'gp2' }, ['gp2', 8, 100, null]],
    [['io2', 8, 500, null], { multiAttachEnabled: true }, ['io2', 8, 500, null, 'shared']],
    [['io2', 8, 500, null, 'shared'], { sizeGiB: 9 }, ['io2', 9, 500, null, 'shared']],
    [['io2', 8, 500, null, 'shared'], { multiAttachEnabled: false, volumeType: 'gp3' }, ['gp3', 8, 3000, 125]],
  ])('%j with %j is %j', (current, request, expected) => {
    expect(modifiedConfiguration(of(current), request)).toEqual(of(expected));
  });

  it.each<[Short, ModificationRequest, string]>([
    [['gp2', 8, 100, null], { sizeGiB: 7 }, 'SizeShrunk'],
    [['gp2', 8, 100, null], { sizeGiB: -1 }, 'ValueNotPositive'],
    [['gp2', 8, 100, null], { sizeGiB: 20_000 }, 'SizeTooLarge'],
    [['gp2', 8, 100, null], { iops: 500 }, 'IopsNotSupported'],
    [['gp2', 8, 100, null], { throughputMiBps: 500 }, 'ThroughputNotSupported'],
    [['gp2', 8, 100, null], { volumeType: 'st1' }, 'SizeTooSmall'],
    [['gp2', 8, 100, null], { volumeType: 'io1' }, 'IopsRatioTooHigh'],
    [['gp2', 8, 100, null], { volumeType: 'x' }, 'VolumeTypeUnknown'],
    [['gp3', 8, 3000, 125], { throughputMiBps: 1000 }, 'ThroughputRatioTooHigh'],
    [['gp3', 8, 3000, 125], { multiAttachEnabled: true }, 'MultiAttachNotSupported'],
    [['io1', 8, 400, null, 'shared'], { sizeGiB: 9 }, 'MultiAttachIo1Fixed'],
    [['io1', 8, 400, null], { multiAttachEnabled: true }, 'MultiAttachIo1Fixed'],
    [['io2', 8, 400, null, 'shared'], { volumeType: 'io1', iops: 400 }, 'MultiAttachTypeFixed'],
    [['io2', 8, 400, null, 'shared'], { volumeType: 'gp3' }, 'MultiAttachNotSupported'],
  ])('%j with %j is refused: %s', (current, request, code) => {
    expect(() => modifiedConfiguration(of(current), request)).toThrow(expect.objectContaining({ code }));
  });
});

describe('the fifth modification', () => {
  const hours = (hour: number): Instant => instant(new Date(Date.UTC(2026, 0, 1, hour)));
  it.each<[number[], number, number | null]>([
    [[], 0, null],
    [[0, 1, 2], 3, null],
    [[0, 1, 2, 3], 4, 24],
    [[0, 1, 2, 3], 23, 24],
    [[0, 1, 2, 3], 24, null],
    [[0, 1, 2, 3, 24], 24.5, 25],
    [[0, 1, 2, 3, 24], 25, null],
  ])('after ones at %j, asked for at %d, is possible from %s', (times, now, expected) => {
    expect(nextModificationAt(times.map(hours), hours(now))).toBe(expected === null ? null : hours(expected));
  });
});
