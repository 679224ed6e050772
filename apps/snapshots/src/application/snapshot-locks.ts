import type { ec2 } from '@holdfast/aws-protocol';
import { callerOf, type Instant, type RequestContext, type SnapshotId } from '@holdfast/contracts';
import {
  dryRunOperation,
  invalidParameterCombination,
  invalidParameterValue,
  missingParameter,
  type PageTokens,
} from '@holdfast/ec2';
import type { Clock } from '@holdfast/service-kit';
import { decideLock, type Lock, lockStateOf, type LockSnapshot } from '../domain/snapshot-lock.ts';
import { featurePage } from './feature-pages.ts';
import type { SnapshotFeatureTable } from './feature-ports.ts';
import { ownSnapshot } from './own-snapshot.ts';
import type { SnapshotStreams } from './ports.ts';
import { refusal } from './refusals.ts';
import { snapshotIdOf } from './snapshot-ids.ts';

/** LockSnapshot, UnlockSnapshot and DescribeLockedSnapshots. */
export class SnapshotLocks {
  constructor(
    private readonly snapshots: SnapshotStreams,
    private readonly table: SnapshotFeatureTable,
    private readonly tokens: PageTokens,
    private readonly clock: Clock,
  ) {}

  async lock(input: Partial<ec2.LockSnapshotRequest>, context: RequestContext): Promise<ec2.LockSnapshotResult> {
    const snapshotId = snapshotIdOf(input.SnapshotId);
    const command: LockSnapshot = { ...parseLock(input), type: 'LockSnapshot', snapshotId, at: this.clock.instant() };
    const { lock: current, status } = await ownSnapshot(this.snapshots, snapshotId, context);
    if (input.DryRun === true) {
      decideLock(command, current, status === 'completed');
      throw dryRunOperation();
    }
    await this.snapshots.handle(command, { caller: callerOf(context) });
    const { lock } = await this.snapshots.load(snapshotId);
    return lock === null ? { SnapshotId: snapshotId } : viewOf(snapshotId, lock, command.at);
  }

  async unlock(input: Partial<ec2.UnlockSnapshotRequest>, context: RequestContext): Promise<ec2.UnlockSnapshotResult> {
    const snapshotId = snapshotIdOf(input.SnapshotId);
    await ownSnapshot(this.snapshots, snapshotId, context);
    if (input.DryRun === true) throw dryRunOperation();
    const command = { type: 'UnlockSnapshot', snapshotId, at: this.clock.instant() } as const;
    await this.snapshots.handle(command, { caller: callerOf(context) });
    return { SnapshotId: snapshotId };
  }

  async describe(
    input: ec2.DescribeLockedSnapshotsRequest,
    context: RequestContext,
  ): Promise<ec2.DescribeLockedSnapshotsResult> {
    if (input.DryRun === true) throw dryRunOperation();
    const snapshotIds = (input.SnapshotIds ?? []).map(snapshotIdOf);
    const owned = snapshotIds.length > 0 ? await this.table.owned(snapshotIds, context) : new Set();
    const missing = snapshotIds.find((id) => !owned.has(id));
    if (missing !== undefined) throw refusal('SnapshotNotFound', { snapshotId: missing });
    const now = this.clock.instant();
    const { items, nextToken } = await featurePage(
      { tokens: this.tokens, action: 'DescribeLockedSnapshots', input, context },
      (page) => this.table.locked({ ...page, filters: input.Filters, snapshotIds }, now, context),
      ({ snapshotId, ownerId, lock }) => ({ ...viewOf(snapshotId, lock, now), OwnerId: ownerId }),
    );
    return { Snapshots: items, NextToken: nextToken };
  }
}

type Parsed = Pick<LockSnapshot, 'mode' | 'coolOffHours' | 'until'>;

const parseLock = (input: Partial<ec2.LockSnapshotRequest>): Parsed => {
  const { LockMode: mode, LockDuration: days, ExpirationDate: date, CoolOffPeriod: coolOffHours = null } = input;
  if (mode === undefined) throw missingParameter('lockMode');
  if (mode !== 'governance' && mode !== 'compliance')
    throw invalidParameterValue(`Invalid value '${mode}' for lockMode. Expected: 'governance', 'compliance'.`);
  if (days !== undefined && date !== undefined)
    throw invalidParameterCombination('Specify either LockDuration or ExpirationDate, but not both.');
  if (date !== undefined) return { mode, coolOffHours, until: { date: new Date(date).toISOString() as Instant } };
  if (days === undefined) throw missingParameter('lockDuration');
  return { mode, coolOffHours, until: { days } };
};

const viewOf = (snapshotId: SnapshotId, lock: Lock, now: Instant): ec2.LockSnapshotResult => ({
  SnapshotId: snapshotId,
  LockState: lockStateOf(lock, now),
  LockDuration: lock.durationDays,
  CoolOffPeriod: lock.coolOff?.hours,
  CoolOffPeriodExpiresOn: lock.coolOff?.expiresOn,
  LockCreatedOn: lock.createdOn,
  LockDurationStartTime: lock.durationStart ?? undefined,
  LockExpiresOn: lock.expiresOn ?? undefined,
});
