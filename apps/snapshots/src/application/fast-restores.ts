import type { ec2 } from '@holdfast/aws-protocol';
import {
  AwsError,
  callerOf,
  type Instant,
  type InternalRequests,
  type RequestContext,
  type SnapshotId,
  type Zone,
  zonesOf,
} from '@holdfast/contracts';
import {
  dryRunOperation,
  invalidParameterCombination,
  invalidParameterValue,
  missingParameter,
  type PageTokens,
  type RecordFilters,
  recordFilter,
} from '@holdfast/ec2';
import type { Clock } from '@holdfast/service-kit';
import { fastRestoreState, timesOf } from '../domain/fast-restore.ts';
import { featurePage } from './feature-pages.ts';
import type { FastRestoreRow, SnapshotFeatureTable } from './feature-ports.ts';
import type { SnapshotStreams } from './ports.ts';
import { refusal } from './refusals.ts';
import { snapshotIdOf } from './snapshot-ids.ts';
import type { Viewers } from './viewers.ts';

/** EC2's quota on snapshots with fast snapshot restore, of an account in a Region. */
const MAX_SNAPSHOTS = 5;
/** How long one that has ended is still described, in milliseconds; ours, as AWS gives no number. */
const REMEMBERED_MS = 3_600_000;

interface Input {
  SourceSnapshotIds?: string[];
  AvailabilityZones?: string[];
  AvailabilityZoneIds?: string[];
  DryRun?: boolean;
}

type Item = ec2.DescribeFastSnapshotRestoreSuccessItem;

/** @see DescribeFastSnapshotRestores, "Filters" */
export const FILTERS: RecordFilters<Item> = {
  'availability-zone': ({ AvailabilityZone }) => [AvailabilityZone],
  'availability-zone-id': ({ AvailabilityZoneId }) => [AvailabilityZoneId],
  'owner-id': ({ OwnerId }) => [OwnerId],
  'snapshot-id': ({ SnapshotId }) => [SnapshotId],
  state: ({ State }) => [State],
};
interface Failed {
  SnapshotId: string;
  FastSnapshotRestoreStateErrors: ec2.EnableFastSnapshotRestoreStateErrorItem[];
}

/** Enable-, Disable- and DescribeFastSnapshotRestores; each snapshot in each zone succeeds or fails by itself. */
export class FastRestores {
  constructor(
    private readonly snapshots: SnapshotStreams,
    private readonly table: SnapshotFeatureTable,
    private readonly viewers: Viewers,
    private readonly tokens: PageTokens,
    private readonly clock: Clock,
    /** A rule's refusal in EC2's words. */
    private readonly inWords: (thrown: unknown) => unknown,
  ) {}

  enable(input: Input, context: RequestContext): Promise<ec2.EnableFastSnapshotRestoresResult> {
    return this.change(input, context, (snapshotId, zone) => this.enableOne(snapshotId, zone, context));
  }

  disable(input: Input, context: RequestContext): Promise<ec2.DisableFastSnapshotRestoresResult> {
    return this.change(input, context, async (snapshotId, { zoneName: zone }) => {
      const at = this.clock.instant();
      const command = { type: 'DisableFastRestore', snapshotId, account: context.accountId, zone, at } as const;
      await this.snapshots.handle(command, { caller: callerOf(context) });
    });
  }

  async describe(
    input: ec2.DescribeFastSnapshotRestoresRequest,
    context: RequestContext,
  ): Promise<ec2.DescribeFastSnapshotRestoresResult> {
    if (input.DryRun === true) throw dryRunOperation();
    const matches = recordFilter(input.Filters, FILTERS);
    const found = (await this.items(context)).filter(matches);
    const rows = found.map((item) => ({
      item,
      position: `${item.SnapshotId ?? ''} ${item.AvailabilityZone ?? ''}`,
    }));
    const { items, nextToken } = await featurePage(
      { tokens: this.tokens, action: 'DescribeFastSnapshotRestores', input, context },
      ({ after = '', limit }) => Promise.resolve(rows.filter(({ position }) => position > after).slice(0, limit)),
      ({ item }) => item,
    );
    return { FastSnapshotRestores: items, NextToken: nextToken };
  }

  /** Whether a volume may be made of it without lazy loading: then one credit is taken. */
  async use(
    { snapshotId, availabilityZone: zone }: InternalRequests['snapshots']['UseFastRestore']['in'],
    context: RequestContext,
  ): Promise<{ fastRestored: boolean }> {
    const at = this.clock.instant();
    const command = { type: 'UseFastRestore', snapshotId, account: context.accountId, zone, at } as const;
    const events = await this.snapshots.decide(command, { caller: callerOf(context) });
    return { fastRestored: events.length > 0 };
  }

  private async enableOne(
    snapshotId: SnapshotId,
    { zoneName: zone, zoneId }: Zone,
    context: RequestContext,
  ): Promise<void> {
    const { accountId: account } = context;
    const record = await this.viewers.record(snapshotId, context.region, context);
    const { sharing } = await this.snapshots.load(snapshotId);
    if (record === null || (record.ownerId !== account && !sharing.accounts.includes(account)))
      throw refusal('SnapshotNotFound', { snapshotId });
    const active = (await this.table.fastRestores(context)).filter(({ disablingTime }) => disablingTime === null);
    if (new Set([snapshotId, ...active.map((row) => row.snapshotId)]).size > MAX_SNAPSHOTS)
      throw refusal('FastRestoresExceeded');
    const at = this.clock.instant();
    const command = { type: 'EnableFastRestore', snapshotId, account, zone, zoneId, at } as const;
    await this.snapshots.handle(command, { caller: callerOf(context) });
  }

  private async change(
    input: Input,
    context: RequestContext,
    run: (snapshotId: SnapshotId, zone: Zone) => Promise<void>,
  ): Promise<{ Successful: Item[]; Unsuccessful: Failed[] }> {
    const snapshotIds = [...new Set(input.SourceSnapshotIds ?? [])].map(snapshotIdOf);
    if (snapshotIds.length === 0) throw missingParameter('sourceSnapshotId');
    const zones = zonesIn(input, context.region);
    if (input.DryRun === true) throw dryRunOperation();
    const failures = new Map<SnapshotId, Failed['FastSnapshotRestoreStateErrors']>();
    const done = new Set<string>();
    for (const snapshotId of snapshotIds) {
      for (const zone of zones) {
        try {
          await run(snapshotId, zone);
          done.add(`${snapshotId} ${zone.zoneName}`);
        } catch (thrown) {
          const error = this.inWords(thrown);
          if (!(error instanceof AwsError)) throw thrown;
          const failure = { Code: error.code, Message: error.message };
          const where = { AvailabilityZone: zone.zoneName, AvailabilityZoneId: zone.zoneId };
          failures.set(snapshotId, [...(failures.get(snapshotId) ?? []), { ...where, Error: failure }]);
        }
      }
    }
    const items = await this.items(context);
    return {
      Successful: items.filter((item) => done.has(`${item.SnapshotId ?? ''} ${item.AvailabilityZone ?? ''}`)),
      Unsuccessful: [...failures].map(([SnapshotId, FastSnapshotRestoreStateErrors]) => ({
        SnapshotId,
        FastSnapshotRestoreStateErrors,
      })),
    };
  }

  private async items(context: RequestContext): Promise<Item[]> {
    const now = this.clock.instant();
    const since = new Date(Date.parse(now) - REMEMBERED_MS).toISOString();
    return (await this.table.fastRestores(context))
      .filter(({ disablingTime }) => disablingTime === null || disablingTime > since)
      .map((row) => view(row, now));
  }
}

const zonesIn = ({ AvailabilityZones: names, AvailabilityZoneIds: ids }: Input, region: string): Zone[] => {
  if (names !== undefined && ids !== undefined)
    throw invalidParameterCombination('Specify either AvailabilityZone or AvailabilityZoneId, but not both.');
  const asked = [...new Set(names ?? ids ?? [])];
  if (asked.length === 0) throw missingParameter('availabilityZone');
  const known = zonesOf(region);
  return asked.map((text) => {
    const zone = known.find(({ zoneName, zoneId }) => (names === undefined ? zoneId : zoneName) === text);
    if (zone === undefined) throw invalidParameterValue(`Invalid availability zone: [${text}]`);
    return zone;
  });
};

const view = (row: FastRestoreRow, now: Instant): Item => {
  const times = timesOf(row, row.sizeGiB);
  const state = fastRestoreState(times, now);
  // What was never reached before it was disabled is not told of.
  const reached = (time: Instant | null) =>
    time !== null && time <= now && (times.disabling === null || time <= times.disabling) ? time : undefined;
  return {
    SnapshotId: row.snapshotId,
    AvailabilityZone: row.zone,
    AvailabilityZoneId: row.zoneId,
    State: state,
    StateTransitionReason:
      state === 'enabling' || state === 'disabling'
        ? 'Client.UserInitiated'
        : 'Client.UserInitiated - Lifecycle state transition',
    OwnerId: row.accountId,
    EnablingTime: times.enabling,
    OptimizingTime: reached(times.optimizing),
    EnabledTime: reached(times.enabled),
    DisablingTime: times.disabling ?? undefined,
    DisabledTime: times.disabled !== null && times.disabled <= now ? times.disabled : undefined,
  };
};
