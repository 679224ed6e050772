import type { Instant, SnapshotId } from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** @see LockSnapshot, "LockDuration" and "CoolOffPeriod" */
const MAX_DAYS = 36_500;
const MAX_COOL_OFF_HOURS = 72;

export type LockMode = 'governance' | 'compliance';
export type LockState = 'compliance-cooloff' | 'governance' | 'compliance' | 'expired';

/** Until it expires the snapshot can't be deleted. */
export interface Lock {
  readonly mode: LockMode;
  readonly durationDays: number;
  readonly createdOn: Instant;
  /** Null while the snapshot is pending: the duration begins when it is completed. */
  readonly durationStart: Instant | null;
  readonly expiresOn: Instant | null;
  /** Of compliance mode only; null: no cooling-off period. */
  readonly coolOff: { readonly hours: number; readonly expiresOn: Instant } | null;
}

export type LockEvent =
  | { type: 'SnapshotLocked'; snapshotId: SnapshotId; lock: Lock; at: Instant }
  | { type: 'SnapshotUnlocked'; snapshotId: SnapshotId; at: Instant }
  /** A snapshot that was locked while it was pending is completed. */
  | { type: 'SnapshotLockBegan'; snapshotId: SnapshotId; durationStart: Instant; expiresOn: Instant; at: Instant };

interface Common {
  snapshotId: SnapshotId;
  at: Instant;
}

export type LockSnapshot = Common & {
  type: 'LockSnapshot';
  mode: LockMode;
  coolOffHours: number | null;
  /** From its start, or until a date. */
  until: { days: number } | { date: Instant };
};

export type LockCommand = LockSnapshot | (Common & { type: 'UnlockSnapshot' });

const after = (instant: Instant, ms: number): Instant => new Date(Date.parse(instant) + ms).toISOString() as Instant;

export const withLock = (lock: Lock | null, event: LockEvent): Lock | null => {
  switch (event.type) {
    case 'SnapshotLocked':
      return event.lock;
    case 'SnapshotUnlocked':
      return null;
    case 'SnapshotLockBegan':
      return lock && { ...lock, durationStart: event.durationStart, expiresOn: event.expiresOn };
  }
};

/** @see LockSnapshot, "LockState" */
export const lockStateOf = ({ mode, expiresOn, coolOff }: Lock, now: Instant): LockState => {
  if (expiresOn !== null && expiresOn <= now) return 'expired';
  if (mode === 'governance') return 'governance';
  return coolOff !== null && now < coolOff.expiresOn ? 'compliance-cooloff' : 'compliance';
};

export const isLocked = (lock: Lock | null, now: Instant): boolean =>
  lock !== null && lockStateOf(lock, now) !== 'expired';

/** What a lock of a pending snapshot becomes when it is completed. */
export const beginLock = (snapshotId: SnapshotId, lock: Lock | null, at: Instant): LockEvent[] => {
  if (lock === null || lock.durationStart !== null) return [];
  const expiresOn = lock.expiresOn ?? after(at, lock.durationDays * DAY_MS);
  return [{ type: 'SnapshotLockBegan', snapshotId, durationStart: at, expiresOn, at }];
};

const inRange = (value: number, maximum: number) => Number.isInteger(value) && value >= 1 && value <= maximum;

const checkRanges = ({ snapshotId, mode, coolOffHours, until, at }: LockSnapshot): void => {
  if (coolOffHours !== null && mode === 'governance') throw new DomainError('CoolOffNotForGovernance', { snapshotId });
  if (coolOffHours !== null && !inRange(coolOffHours, MAX_COOL_OFF_HOURS))
    throw new DomainError('CoolOffOutOfRange', { value: coolOffHours });
  if ('days' in until && !inRange(until.days, MAX_DAYS))
    throw new DomainError('LockDurationOutOfRange', { value: until.days });
  if ('date' in until && (until.date <= at || Date.parse(until.date) > Date.parse(at) + MAX_DAYS * DAY_MS))
    throw new DomainError('LockDateOutOfRange', { value: until.date });
};

/**
 * Locks, or changes a lock. A change counts from the start of the lock that it changes. In compliance mode, once the
 * cooling-off period is over, a lock can only be made longer.
 * @param completed whether the snapshot is complete: the duration of a pending one has not begun.
 * @throws DomainError CoolOffNotForGovernance | CoolOffOutOfRange | LockDurationOutOfRange | LockDateOutOfRange |
 *   ComplianceLockNotChangeable | CoolOffOver | LockNotExtended | SnapshotNotLocked
 * @see Amazon EBS user guide, "Update Amazon EBS snapshot lock settings"
 */
export const decideLock = (command: LockCommand, current: Lock | null, completed: boolean): readonly LockEvent[] => {
  const { snapshotId, at } = command;
  const lock = isLocked(current, at) ? current : null;
  const state = lock && lockStateOf(lock, at);
  if (command.type === 'UnlockSnapshot') {
    if (state === null) throw new DomainError('SnapshotNotLocked', { snapshotId });
    if (state === 'compliance') throw new DomainError('ComplianceLockNotChangeable', { snapshotId });
    return [{ type: 'SnapshotUnlocked', snapshotId, at }];
  }
  checkRanges(command);
  const next = lockOf(command, lock, completed);
  if (state === 'compliance') {
    if (command.mode !== 'compliance') throw new DomainError('ComplianceLockNotChangeable', { snapshotId });
    if (command.coolOffHours !== null) throw new DomainError('CoolOffOver', { snapshotId });
    if (!lasts(next, lock)) throw new DomainError('LockNotExtended', { snapshotId });
  } else if (next.expiresOn !== null && next.expiresOn <= at) {
    throw new DomainError('LockDateOutOfRange', { value: next.expiresOn });
  }
  return [{ type: 'SnapshotLocked', snapshotId, lock: next, at }];
};

/** Of a lock that has not begun only the days can be compared, and a date with a date. */
const lasts = (next: Lock, lock: Lock | null): boolean => {
  if (lock === null) return true;
  if (next.expiresOn !== null && lock.expiresOn !== null) return next.expiresOn > lock.expiresOn;
  return next.durationDays > lock.durationDays;
};

const lockOf = ({ mode, coolOffHours, until, at }: LockSnapshot, lock: Lock | null, completed: boolean): Lock => {
  const durationStart = lock?.durationStart ?? (completed ? at : null);
  const begins = durationStart ?? at;
  const durationDays =
    'days' in until ? until.days : Math.max(1, Math.ceil((Date.parse(until.date) - Date.parse(begins)) / DAY_MS));
  const byDays = durationStart === null ? null : after(durationStart, durationDays * DAY_MS);
  const expiresOn = 'date' in until ? until.date : byDays;
  // A cooling-off period that is changed goes on from its own start; after one that is over there is none to keep.
  const kept = lock?.mode === 'compliance' ? lock.coolOff : null;
  const coolOffStart = kept === null ? at : after(kept.expiresOn, -kept.hours * HOUR_MS);
  const isOver = kept !== null && kept.expiresOn <= at;
  const coolOff =
    coolOffHours === null
      ? isOver && mode === 'compliance'
        ? kept
        : null
      : { hours: coolOffHours, expiresOn: after(coolOffStart, coolOffHours * HOUR_MS) };
  return { mode, durationDays, createdOn: lock?.createdOn ?? at, durationStart, expiresOn, coolOff };
};
