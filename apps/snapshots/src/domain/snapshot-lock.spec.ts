import type { Instant, SnapshotId } from '@holdfast/contracts';
import { describe, expect, it } from 'vitest';
import {
  beginLock,
  decideLock,
  isLocked,
  type Lock,
  lockStateOf,
  type LockSnapshot,
  withLock,
} from './snapshot-lock.ts';

const snapshotId = 'snap-0123456789abcdef0' as SnapshotId;
const at = (text: string) => `2026-01-${text}:00:00.000Z` as Instant;
const NOW = at('01T12');

const lockCommand = (fields: Partial<LockSnapshot> = {}): LockSnapshot => ({
  ...{ type: 'LockSnapshot', snapshotId, mode: 'governance', coolOffHours: null, until: { days: 10 }, at: NOW },
  ...fields,
});
const locked = (fields: Partial<LockSnapshot> = {}, current: Lock | null = null, completed = true): Lock => {
  const [event] = decideLock(lockCommand(fields), current, completed);
  if (event?.type !== 'SnapshotLocked') throw new Error('not locked');
  return event.lock;
};
const codeOf = (run: () => unknown): string => {
  try {
    run();
    return 'none';
  } catch (error) {
    return (error as { code: string }).code;
  }
};
const compliance = (fields: Partial<LockSnapshot> = {}) => locked({ mode: 'compliance', ...fields });

describe('a lock', () => {
  it('in governance mode ends after its days, and can be taken away before', () => {
    const lock = locked();
    expect(lock).toMatchObject({ durationDays: 10, durationStart: NOW, expiresOn: at('11T12'), coolOff: null });
    expect(lockStateOf(lock, at('11T11'))).toBe('governance');
    expect(lockStateOf(lock, at('11T12'))).toBe('expired');
    expect(isLocked(lock, at('11T12'))).toBe(false);
    expect(decideLock({ type: 'UnlockSnapshot', snapshotId, at: at('02T00') }, lock, true)).toMatchObject([
      { type: 'SnapshotUnlocked' },
    ]);
  });

  it('until a date counts its days from its start', () => {
    expect(locked({ until: { date: at('03T00') } })).toMatchObject({ durationDays: 2, expiresOn: at('03T00') });
  });

  it('in compliance mode is fixed at once, or after its cooling-off period', () => {
    expect(lockStateOf(compliance(), NOW)).toBe('compliance');
    const cooling = compliance({ coolOffHours: 3 });
    expect(lockStateOf(cooling, at('01T14'))).toBe('compliance-cooloff');
    expect(lockStateOf(cooling, at('01T15'))).toBe('compliance');
    const unlock = (time: Instant) => decideLock({ type: 'UnlockSnapshot', snapshotId, at: time }, cooling, true);
    expect(unlock(at('01T14'))).toHaveLength(1);
    expect(codeOf(() => unlock(at('01T15')))).toBe('ComplianceLockNotChangeable');
  });

  it('in compliance mode, once fixed, can only be extended', () => {
    const lock = compliance({ coolOffHours: 1 });
    const change = (fields: Partial<LockSnapshot>) => () =>
      locked({ mode: 'compliance', at: at('02T12'), ...fields }, lock);
    expect(codeOf(change({ mode: 'governance' }))).toBe('ComplianceLockNotChangeable');
    expect(codeOf(change({ coolOffHours: 2, until: { days: 20 } }))).toBe('CoolOffOver');
    expect(codeOf(change({ until: { days: 10 } }))).toBe('LockNotExtended');
    expect(codeOf(change({ until: { date: at('10T00') } }))).toBe('LockNotExtended');
    const longer = change({ until: { days: 11 } })();
    expect(longer).toMatchObject({ createdOn: NOW, durationStart: NOW, expiresOn: at('12T12') });
    expect(lockStateOf(longer, at('02T13'))).toBe('compliance');
  });

  it('can be changed in every way while it is cooling off, and in governance mode', () => {
    const cooling = compliance({ coolOffHours: 3 });
    expect(locked({ mode: 'governance', until: { days: 1 }, at: at('01T13') }, cooling)).toMatchObject({
      mode: 'governance',
      coolOff: null,
    });
    const shorter = locked({ mode: 'compliance', coolOffHours: 2, until: { days: 5 }, at: at('01T13') }, cooling);
    expect(shorter).toMatchObject({ coolOff: { hours: 2, expiresOn: at('01T14') }, expiresOn: at('06T12') });
    expect(codeOf(() => locked({ until: { days: 1 }, at: at('05T12') }, locked()))).toBe('LockDateOutOfRange');
  });

  it('begins anew after one that expired', () => {
    expect(locked({ at: at('20T12') }, locked())).toMatchObject({ createdOn: at('20T12'), expiresOn: at('30T12') });
    const unlock = { type: 'UnlockSnapshot', snapshotId, at: at('20T12') } as const;
    expect(codeOf(() => decideLock(unlock, locked(), true))).toBe('SnapshotNotLocked');
    expect(codeOf(() => decideLock(unlock, null, true))).toBe('SnapshotNotLocked');
  });

  it('of a pending snapshot begins when that is completed', () => {
    const lock = locked({}, null, false);
    expect(lock).toMatchObject({ durationStart: null, expiresOn: null });
    expect(isLocked(lock, at('30T00'))).toBe(true);
    const [began] = beginLock(snapshotId, lock, at('05T00'));
    expect(began).toMatchObject({ durationStart: at('05T00'), expiresOn: at('15T00') });
    expect(beginLock(snapshotId, began ? withLock(lock, began) : null, at('06T00'))).toEqual([]);
  });

  it.each([
    [{ coolOffHours: 1 }, 'CoolOffNotForGovernance'],
    [{ mode: 'compliance' as const, coolOffHours: 73 }, 'CoolOffOutOfRange'],
    [{ until: { days: 0 } }, 'LockDurationOutOfRange'],
    [{ until: { days: 36_501 } }, 'LockDurationOutOfRange'],
    [{ until: { days: 1.5 } }, 'LockDurationOutOfRange'],
    [{ until: { date: NOW } }, 'LockDateOutOfRange'],
    [{ until: { date: '2226-01-01T00:00:00.000Z' as Instant } }, 'LockDateOutOfRange'],
  ])('refuses %j', (fields, code) => {
    expect(codeOf(() => locked(fields))).toBe(code);
  });
});
