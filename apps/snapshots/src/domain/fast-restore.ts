import type { AccountId, Instant, SnapshotId } from '@holdfast/contracts';
import { assertNever, DomainError } from '@holdfast/decider';

const HOUR_MS = 3_600_000;
/** AWS takes 60 minutes for a TiB of snapshot. */
const OPTIMIZING_MS_PER_GIB = HOUR_MS / 1024;
/** How long a change is under way before anything is done about it; ours, as AWS gives no number. */
const TRANSITION_MS = 2_000;
const MAX_SIZE_GIB = 16_384;

export type FastRestoreState = 'enabling' | 'optimizing' | 'enabled' | 'disabling' | 'disabled';

/** Of one snapshot, for one account, in one Availability Zone. */
export interface FastRestore {
  readonly account: AccountId;
  readonly zone: string;
  readonly zoneId: string;
  readonly enablingTime: Instant;
  readonly disablingTime: Instant | null;
  /** Volume creation credits at `creditsAt`; the bucket fills in between. */
  readonly credits: number;
  readonly creditsAt: Instant;
}

interface Common {
  snapshotId: SnapshotId;
  account: AccountId;
  zone: string;
  at: Instant;
}

/** Why one ends: it was asked for, its account may no longer use the snapshot (or there is none any more), it is archived. */
export type FastRestoreEnd = 'disabled' | 'lost' | 'archived';

export type FastRestoreEvent =
  /** And when its next states will be reached, unless it is disabled before. */
  | (Common & { type: 'FastRestoreEnabled'; zoneId: string; optimizingAt?: Instant; enabledAt?: Instant })
  | (Common & { type: 'FastRestoreDisabled'; reason?: FastRestoreEnd; disabledAt?: Instant })
  /** A volume is made from it without lazy loading; `credits` are left. */
  | (Common & { type: 'FastRestoreUsed'; credits: number });

export type FastRestoreCommand =
  | (Common & { type: 'EnableFastRestore'; zoneId: string })
  | (Common & { type: 'DisableFastRestore' })
  | (Common & { type: 'UseFastRestore' });

export interface FastRestoreTimes {
  readonly enabling: Instant;
  readonly optimizing: Instant;
  readonly enabled: Instant;
  readonly disabling: Instant | null;
  readonly disabled: Instant | null;
}

const after = (instant: Instant, ms: number): Instant => new Date(Date.parse(instant) + ms).toISOString() as Instant;

/** When each state was, or is to be, reached. */
export const timesOf = (
  { enablingTime, disablingTime }: Pick<FastRestore, 'enablingTime' | 'disablingTime'>,
  sizeGiB: number,
): FastRestoreTimes => {
  const optimizing = after(enablingTime, TRANSITION_MS);
  const enabled = after(optimizing, Math.round(sizeGiB * OPTIMIZING_MS_PER_GIB));
  const disabled = disablingTime && after(disablingTime, TRANSITION_MS);
  return { enabling: enablingTime, optimizing, enabled, disabling: disablingTime, disabled };
};

export const fastRestoreState = (times: FastRestoreTimes, now: Instant): FastRestoreState => {
  if (times.disabled !== null && times.disabled <= now) return 'disabled';
  if (times.disabling !== null) return 'disabling';
  if (times.enabled <= now) return 'enabled';
  return times.optimizing <= now ? 'optimizing' : 'enabling';
};

/** @see Amazon EBS user guide, "Volume creation credits": what the bucket holds, and what an hour adds. */
const bucketOf = (sizeGiB: number) => ({
  size: Math.max(1, Math.min(10, Math.floor(1024 / sizeGiB))),
  perHour: Math.min(10, 1024 / sizeGiB),
});

const creditsOf = ({ credits, creditsAt }: FastRestore, sizeGiB: number, at: Instant): number => {
  const { size, perHour } = bucketOf(sizeGiB);
  const hours = Math.max(0, Date.parse(at) - Date.parse(creditsAt)) / HOUR_MS;
  return Math.min(size, credits + hours * perHour);
};

const keyOf = ({ account, zone }: { account: AccountId; zone: string }) => `${account}/${zone}`;

/** By account and zone. */
export type FastRestores = Readonly<Record<string, FastRestore>>;

export const withFastRestore = (restores: FastRestores, event: FastRestoreEvent, sizeGiB: number): FastRestores => {
  const { account, zone, at } = event;
  const key = keyOf(event);
  const known = restores[key];
  switch (event.type) {
    case 'FastRestoreEnabled': {
      const { zoneId } = event;
      const enabled = timesOf({ enablingTime: at, disablingTime: null }, sizeGiB).enabled;
      const bucket = { credits: bucketOf(sizeGiB).size, creditsAt: enabled };
      return { ...restores, [key]: { account, zone, zoneId, enablingTime: at, disablingTime: null, ...bucket } };
    }
    case 'FastRestoreDisabled':
      return known === undefined ? restores : { ...restores, [key]: { ...known, disablingTime: at } };
    case 'FastRestoreUsed':
      return known === undefined
        ? restores
        : { ...restores, [key]: { ...known, credits: event.credits, creditsAt: at } };
    default:
      return assertNever(event);
  }
};

/** Those that are in force end, as when the snapshot is deleted or archived, or an account may no longer use it. */
export const endFastRestores = (
  snapshotId: SnapshotId,
  restores: FastRestores,
  at: Instant,
  reason: FastRestoreEnd,
  ofAccount: (account: AccountId) => boolean = () => true,
): FastRestoreEvent[] =>
  Object.values(restores)
    .filter(({ disablingTime, account }) => disablingTime === null && ofAccount(account))
    .map(({ account, zone }) => disabled({ snapshotId, account, zone, at }, reason));

const disabled = ({ snapshotId, account, zone, at }: Common, reason: FastRestoreEnd): FastRestoreEvent => ({
  ...{ type: 'FastRestoreDisabled', snapshotId, account, zone },
  ...{ reason, disabledAt: after(at, TRANSITION_MS), at },
});

/**
 * @throws DomainError FastRestoreTooLarge | FastRestoreAlreadyEnabled | FastRestoreNotEnabled
 * @see Amazon EBS user guide, "Amazon EBS fast snapshot restore"
 */
export const decideFastRestore = (
  command: FastRestoreCommand,
  restores: FastRestores,
  sizeGiB: number,
): readonly FastRestoreEvent[] => {
  const { snapshotId, account, zone, at } = command;
  const known = restores[keyOf(command)];
  const active = known?.disablingTime === null ? known : null;
  switch (command.type) {
    case 'EnableFastRestore': {
      const { zoneId } = command;
      if (sizeGiB > MAX_SIZE_GIB) throw new DomainError('FastRestoreTooLarge', { snapshotId });
      if (active !== null) throw new DomainError('FastRestoreAlreadyEnabled', { snapshotId, zone });
      const { optimizing: optimizingAt, enabled: enabledAt } = timesOf(
        { enablingTime: at, disablingTime: null },
        sizeGiB,
      );
      return [{ type: 'FastRestoreEnabled', snapshotId, account, zone, zoneId, optimizingAt, enabledAt, at }];
    }
    case 'DisableFastRestore':
      if (active === null) throw new DomainError('FastRestoreNotEnabled', { snapshotId, zone });
      return [disabled(command, 'disabled')];
    case 'UseFastRestore': {
      if (active === null || fastRestoreState(timesOf(active, sizeGiB), at) !== 'enabled') return [];
      const credits = creditsOf(active, sizeGiB, at);
      return credits < 1 ? [] : [{ type: 'FastRestoreUsed', snapshotId, account, zone, credits: credits - 1, at }];
    }
    default:
      return assertNever(command);
  }
};
