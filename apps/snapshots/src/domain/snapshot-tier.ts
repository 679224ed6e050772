import type { Instant, SnapshotId } from '@holdfast/contracts';
import { assertNever, DomainError } from '@holdfast/decider';

const DAY_MS = 86_400_000;
/** @see RestoreSnapshotTier, "TemporaryRestoreDays" */
const MAX_RESTORE_DAYS = 180;

/** Where a snapshot's blocks are: `restored` for a time only, while the archive is kept. */
export type TierStage = 'standard' | 'archiving' | 'archived' | 'restoring' | 'restored';

/** The archive tier's part of a snapshot, as DescribeSnapshotTierStatus tells of it. */
export interface Tier {
  readonly stage: TierStage;
  /** Of the latest archival or restore; null: there was none. */
  readonly operation: {
    readonly kind: 'archival' | 'temporary-restore' | 'permanent-restore';
    readonly outcome: 'in-progress' | 'completed' | 'failed';
    readonly detail: string | null;
    readonly startedAt: Instant;
  } | null;
  readonly archivedAt: Instant | null;
  /** Of the restore under way or in force; null: for good, or none. */
  readonly restoreDays: number | null;
  readonly restoreExpiresAt: Instant | null;
}

export const initialTier: Tier = {
  stage: 'standard',
  operation: null,
  archivedAt: null,
  restoreDays: null,
  restoreExpiresAt: null,
};

interface Common {
  snapshotId: SnapshotId;
  at: Instant;
}

export type TierEvent = Common &
  (
    | { type: 'SnapshotArchivalStarted' }
    | { type: 'SnapshotArchived' }
    /** It stays in the standard tier. */
    | { type: 'SnapshotArchivalFailed'; cause: string }
    /** `days` null: for good. */
    | { type: 'TierRestoreStarted'; days: number | null }
    | { type: 'TierRestoreCompleted'; expiresAt: Instant | null }
    /** It stays in the archive. */
    | { type: 'TierRestoreFailed'; cause: string }
    /** Of a snapshot that was restored for a time: another time from now on. */
    | { type: 'TierRestoreProlonged'; days: number; expiresAt: Instant }
    /** The time is over: from now on it is of no use, and soon in the archive only. */
    | { type: 'TierRestoreExpired' }
  );

export type TierCommand = Common &
  (
    | { type: 'ArchiveSnapshot' }
    | { type: 'CompleteArchival' }
    | { type: 'FailArchival'; cause: string }
    | { type: 'RestoreTier'; days: number | null }
    | { type: 'CompleteTierRestore' }
    | { type: 'FailTierRestore'; cause: string }
    | { type: 'ExpireTierRestore' }
  );

/** Whether volumes, copies and shares can be made of it. */
export const isInStandardTier = ({ stage }: Tier): boolean => stage === 'standard' || stage === 'restored';

const operation = (
  kind: 'archival' | 'temporary-restore' | 'permanent-restore',
  startedAt: Instant,
): Tier['operation'] => ({ kind, outcome: 'in-progress', detail: null, startedAt });

const ended = ({ operation: under }: Tier, outcome: 'completed' | 'failed', detail: string | null) =>
  under && { ...under, outcome, detail };

export const withTier = (tier: Tier, event: TierEvent): Tier => {
  switch (event.type) {
    case 'SnapshotArchivalStarted':
      return { ...initialTier, stage: 'archiving', operation: operation('archival', event.at) };
    case 'SnapshotArchived':
      return {
        ...tier,
        stage: 'archived',
        operation: ended(tier, 'completed', null),
        archivedAt: tier.archivedAt ?? event.at,
      };
    case 'SnapshotArchivalFailed':
      return { ...initialTier, operation: ended(tier, 'failed', event.cause) };
    case 'TierRestoreStarted': {
      const kind = event.days === null ? 'permanent-restore' : 'temporary-restore';
      const started = operation(kind, event.at);
      return { ...tier, stage: 'restoring', operation: started, restoreDays: event.days, restoreExpiresAt: null };
    }
    case 'TierRestoreCompleted': {
      const stage = event.expiresAt === null ? 'standard' : 'restored';
      return { ...tier, stage, operation: ended(tier, 'completed', null), restoreExpiresAt: event.expiresAt };
    }
    case 'TierRestoreFailed':
      return { ...tier, stage: 'archived', operation: ended(tier, 'failed', event.cause), restoreDays: null };
    case 'TierRestoreProlonged':
      return { ...tier, restoreDays: event.days, restoreExpiresAt: event.expiresAt };
    case 'TierRestoreExpired':
      return { ...tier, stage: 'archiving', restoreDays: null, restoreExpiresAt: null };
    default:
      return assertNever(event);
  }
};

const expiry = (at: Instant, days: number): Instant =>
  new Date(Date.parse(at) + days * DAY_MS).toISOString() as Instant;

const restore = (
  { snapshotId, days, at }: Extract<TierCommand, { type: 'RestoreTier' }>,
  { stage }: Tier,
): readonly TierEvent[] => {
  if (days !== null && !(Number.isInteger(days) && days >= 1 && days <= MAX_RESTORE_DAYS))
    throw new DomainError('RestoreDaysOutOfRange', { value: days });
  if (stage === 'restored' && days !== null)
    return [{ type: 'TierRestoreProlonged', snapshotId, days, expiresAt: expiry(at, days), at }];
  if (stage !== 'archived' && stage !== 'restored') throw new DomainError('SnapshotNotArchived', { snapshotId });
  return [{ type: 'TierRestoreStarted', snapshotId, days, at }];
};

/**
 * What was begun is ended once: reports that come late change nothing.
 * @throws DomainError SnapshotNotInStandardTier | SnapshotNotArchived | RestoreDaysOutOfRange
 */
export const decideTier = (command: TierCommand, tier: Tier): readonly TierEvent[] => {
  const { snapshotId, at } = command;
  const { stage } = tier;
  switch (command.type) {
    case 'ArchiveSnapshot':
      if (stage !== 'standard') throw new DomainError('SnapshotNotInStandardTier', { snapshotId });
      return [{ type: 'SnapshotArchivalStarted', snapshotId, at }];
    case 'CompleteArchival':
      return stage === 'archiving' ? [{ type: 'SnapshotArchived', snapshotId, at }] : [];
    case 'FailArchival':
      return stage === 'archiving' ? [{ type: 'SnapshotArchivalFailed', snapshotId, cause: command.cause, at }] : [];
    case 'RestoreTier':
      return restore(command, tier);
    case 'CompleteTierRestore': {
      if (stage !== 'restoring') return [];
      const expiresAt = tier.restoreDays === null ? null : expiry(at, tier.restoreDays);
      return [{ type: 'TierRestoreCompleted', snapshotId, expiresAt, at }];
    }
    case 'FailTierRestore':
      return stage === 'restoring' ? [{ type: 'TierRestoreFailed', snapshotId, cause: command.cause, at }] : [];
    case 'ExpireTierRestore': {
      const { restoreExpiresAt } = tier;
      const isDue = stage === 'restored' && restoreExpiresAt !== null && restoreExpiresAt <= at;
      return isDue ? [{ type: 'TierRestoreExpired', snapshotId, at }] : [];
    }
    default:
      return assertNever(command);
  }
};
