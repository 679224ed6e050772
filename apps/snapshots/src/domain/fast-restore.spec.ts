import type { AccountId, Instant, SnapshotId } from '@holdfast/contracts';
import { describe, expect, it } from 'vitest';
import {
  decideFastRestore,
  endFastRestores,
  type FastRestoreCommand,
  type FastRestores,
  fastRestoreState,
  timesOf,
  withFastRestore,
} from './fast-restore.ts';

const account = '111122223333' as AccountId;
const common = { snapshotId: 'snap-0123456789abcdef0' as SnapshotId, account, zone: 'eu-central-1a' };
const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1) + seconds * 1000).toISOString() as Instant;
const SIZE = 1024;

const after = (restores: FastRestores, command: FastRestoreCommand, sizeGiB = SIZE): FastRestores =>
  decideFastRestore(command, restores, sizeGiB).reduce((all, event) => withFastRestore(all, event, sizeGiB), restores);
const enabled = (sizeGiB = SIZE) =>
  after({}, { type: 'EnableFastRestore', ...common, zoneId: 'euc1-az1', at: at(0) }, sizeGiB);
const uses = (restores: FastRestores, seconds: number, sizeGiB = SIZE) =>
  decideFastRestore({ type: 'UseFastRestore', ...common, at: at(seconds) }, restores, sizeGiB);

describe('fast snapshot restore', () => {
  it('is enabled after an hour for each TiB', () => {
    const times = timesOf({ enablingTime: at(0), disablingTime: null }, SIZE);
    expect([0, 2, 3601, 3602].map((seconds) => fastRestoreState(times, at(seconds)))).toEqual([
      'enabling',
      'optimizing',
      'optimizing',
      'enabled',
    ]);
    const ended = timesOf({ enablingTime: at(0), disablingTime: at(4000) }, SIZE);
    expect([4001, 4002].map((seconds) => fastRestoreState(ended, at(seconds)))).toEqual(['disabling', 'disabled']);
  });

  it('says when its states will be reached', () => {
    const enable = { type: 'EnableFastRestore', ...common, zoneId: 'euc1-az1', at: at(0) } as const;
    expect(decideFastRestore(enable, {}, SIZE)).toMatchObject([{ optimizingAt: at(2), enabledAt: at(3602) }]);
    const disable = { type: 'DisableFastRestore', ...common, at: at(5) } as const;
    expect(decideFastRestore(disable, enabled(), SIZE)).toMatchObject([{ reason: 'disabled', disabledAt: at(7) }]);
  });

  it('serves a volume for each credit, and the bucket fills again', () => {
    const restores = enabled();
    expect(uses(restores, 3000)).toEqual([]);
    const first = uses(restores, 4000);
    expect(first).toMatchObject([{ type: 'FastRestoreUsed', credits: 0 }]);
    const used = first.reduce((all, event) => withFastRestore(all, event, SIZE), restores);
    expect(uses(used, 4000 + 3599)).toEqual([]);
    expect(uses(used, 4000 + 3600)).toHaveLength(1);
  });

  it('has at most ten credits, of however small a snapshot', () => {
    expect(uses(enabled(1), 999_999, 1)).toMatchObject([{ credits: 9 }]);
    expect(uses(enabled(300), 999_999, 300)).toMatchObject([{ credits: 2 }]);
  });

  it('is of one account and zone', () => {
    const elsewhere = { type: 'UseFastRestore', ...common, zone: 'eu-central-1b', at: at(9000) } as const;
    expect(decideFastRestore(elsewhere, enabled(), SIZE)).toEqual([]);
    const other = { ...elsewhere, zone: common.zone, account: '444455556666' as AccountId };
    expect(decideFastRestore(other, enabled(), SIZE)).toEqual([]);
  });

  it('refuses what is so already, and what is too large', () => {
    const enable = { type: 'EnableFastRestore', ...common, zoneId: 'euc1-az1', at: at(9) } as const;
    const disable = { type: 'DisableFastRestore', ...common, at: at(9) } as const;
    expect(() => after(enabled(), enable)).toThrow(expect.objectContaining({ code: 'FastRestoreAlreadyEnabled' }));
    expect(() => after({}, disable)).toThrow(expect.objectContaining({ code: 'FastRestoreNotEnabled' }));
    expect(() => after({}, enable, 16_385)).toThrow(expect.objectContaining({ code: 'FastRestoreTooLarge' }));
    const disabled = after(enabled(), disable);
    expect(uses(disabled, 9000)).toEqual([]);
    expect(Object.values(after(disabled, enable))).toMatchObject([{ disablingTime: null, enablingTime: at(9) }]);
  });

  it('ends for those who may not use the snapshot any more', () => {
    const { snapshotId } = common;
    expect(endFastRestores(snapshotId, enabled(), at(5), 'lost', () => false)).toEqual([]);
    expect(endFastRestores(snapshotId, enabled(), at(5), 'lost')).toMatchObject([
      { type: 'FastRestoreDisabled', account, reason: 'lost', disabledAt: at(7) },
    ]);
  });
});
