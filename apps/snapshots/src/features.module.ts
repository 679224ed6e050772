import { type PageTokens } from '@holdfast/ec2';
import type { ServiceParts } from '@holdfast/service-kit';
import type { DynamicModule } from '@nestjs/common';
import { featureRequests } from './adapters/inbound/feature-actions.controller.ts';
import { SnapshotClock } from './adapters/inbound/snapshot-clock.ts';
import { toAwsError } from './adapters/inbound/snapshot-errors.ts';
import { PostgresSnapshotTable } from './adapters/outbound/snapshot-details.table.ts';
import { PostgresSnapshotFeatures } from './adapters/outbound/snapshot-features.table.ts';
import type { EventSourcedSnapshots } from './adapters/outbound/snapshot-streams.ts';
import { CreateSnapshots } from './application/create-snapshots.ts';
import { DueSnapshots } from './application/due-snapshots.ts';
import { FastRestores } from './application/fast-restores.ts';
import { RecycleBin } from './application/recycle-bin.ts';
import { RecycleRules } from './application/recycle-rules.ts';
import type { RuleStore } from './application/rule-ports.ts';
import { SnapshotLocks } from './application/snapshot-locks.ts';
import { SnapshotTiers } from './application/snapshot-tiers.ts';
import { Viewers } from './application/viewers.ts';
import { snapshotSettings } from './config.ts';
import { PAGE_TOKENS, RULES, STREAMS } from './snapshots.module.ts';

export const FEATURE_REQUESTS = Symbol('requests about locks, tiers, the Recycle Bin and fast restores');
const CLOCK = Symbol('SnapshotClock');

/** The snapshots' module with what can be done with snapshots besides. */
export const withFeatures = (
  module: DynamicModule,
  { bus, clock, database, environment, logger }: ServiceParts,
): DynamicModule => {
  const { snapshotIntervalSeconds } = snapshotSettings(environment);
  const features = new PostgresSnapshotFeatures(database);
  const table = new PostgresSnapshotTable(database);
  const viewers = new Viewers(table, bus);
  const requests = (snapshots: EventSourcedSnapshots, tokens: PageTokens, rules: RuleStore) =>
    featureRequests({
      createSnapshots: new CreateSnapshots(snapshots, table, bus, clock, snapshotIntervalSeconds),
      locks: new SnapshotLocks(snapshots, features, tokens, clock),
      tiers: new SnapshotTiers(snapshots, features, bus, tokens, clock),
      bin: new RecycleBin(snapshots, features, tokens, clock),
      fastRestores: new FastRestores(snapshots, features, viewers, tokens, clock, toAwsError),
      rules: new RecycleRules(rules, tokens, clock),
    });
  const snapshotClock = (snapshots: EventSourcedSnapshots) =>
    new SnapshotClock(new DueSnapshots(snapshots, features, clock), logger);
  return {
    ...module,
    providers: [
      ...(module.providers ?? []),
      { provide: FEATURE_REQUESTS, inject: [STREAMS, PAGE_TOKENS, RULES], useFactory: requests },
      { provide: CLOCK, inject: [STREAMS], useFactory: snapshotClock },
    ],
  };
};
