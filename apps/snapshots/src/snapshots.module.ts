import { EbsKeys, loadPageTokens, type PageTokens } from '@holdfast/ec2';
import { CommandHandler, type EventStore } from '@holdfast/event-store';
import type { ServiceParts } from '@holdfast/service-kit';
import { type DynamicModule, Module } from '@nestjs/common';
import { snapshotRequests } from './adapters/inbound/ec2-actions.controller.ts';
import { snapshotConsumers } from './adapters/inbound/snapshot-work.consumer.ts';
import { ruleStreamOf, StoredRules } from './adapters/outbound/recycle-rules.ts';
import { PostgresSnapshotTable } from './adapters/outbound/snapshot-details.table.ts';
import { EventSourcedSnapshots, streamOf } from './adapters/outbound/snapshot-streams.ts';
import { CopyKeys } from './application/copy-keys.ts';
import { CopySnapshot } from './application/copy-snapshot.ts';
import { CreateSnapshot } from './application/create-snapshot.ts';
import { DeleteSnapshot } from './application/delete-snapshot.ts';
import { DescribeSnapshots } from './application/describe-snapshots.ts';
import { FollowSnapshot } from './application/follow-snapshot.ts';
import { FollowTier } from './application/follow-tier.ts';
import { ProvideAmazonSnapshots } from './application/provide-amazon-snapshots.ts';
import { RecycleRules } from './application/recycle-rules.ts';
import { RemoveSnapshot } from './application/remove-snapshot.ts';
import type { RuleStore } from './application/rule-ports.ts';
import { SnapshotAttributes } from './application/snapshot-attributes.ts';
import { SnapshotTags } from './application/snapshot-tags.ts';
import { Viewers } from './application/viewers.ts';
import { snapshotSettings } from './config.ts';
import { ruleDecider } from './domain/recycle-rule.decider.ts';
import { snapshotDecider } from './domain/snapshot.decider.ts';
import { recycleRules } from './projections/recycle-rules.ts';
import { snapshotDetails } from './projections/snapshot-details.ts';

export const REQUESTS = Symbol('snapshot requests');
export const CONSUMERS = Symbol('snapshot consumers');
/** What provides them, once it has: at the start, and after a reset again. */
export const AMAZON_SNAPSHOTS = Symbol('ProvideAmazonSnapshots');
export const STREAMS = Symbol('SnapshotStreams');
/** Retention rules of the Recycle Bin. */
export const RULES = Symbol('RuleStore');
const STORE = Symbol('EventStore');
const TABLE = Symbol('SnapshotTable');
export const PAGE_TOKENS = Symbol('PageTokens');

@Module({})
export class SnapshotsModule {
  static with({ bus, clock, database, environment, openEventStore }: ServiceParts): DynamicModule {
    const { snapshotIntervalSeconds } = snapshotSettings(environment);
    const keys = new EbsKeys((action, input, context) => bus.request('kms', action, input, context));
    const requests = (
      snapshots: EventSourcedSnapshots,
      table: PostgresSnapshotTable,
      pageTokens: PageTokens,
      ruleStore: RuleStore,
    ) => {
      const rules = new RecycleRules(ruleStore, pageTokens, clock);
      const viewers = new Viewers(table, bus);
      return snapshotRequests({
        createSnapshot: new CreateSnapshot(snapshots, table, bus, clock, snapshotIntervalSeconds),
        copySnapshot: new CopySnapshot(snapshots, table, viewers, keys, bus, clock),
        describeSnapshots: new DescribeSnapshots(table, viewers, pageTokens),
        deleteSnapshot: new DeleteSnapshot(snapshots, bus, clock, (resource, context) =>
          rules.retention(resource, context),
        ),
        attributes: new SnapshotAttributes(snapshots, bus, clock),
        tags: new SnapshotTags(snapshots, table, viewers, clock),
        viewers,
      });
    };
    const streams = (store: EventStore) =>
      new EventSourcedSnapshots(new CommandHandler(store, snapshotDecider, streamOf), store);
    const rules = (store: EventStore) =>
      new StoredRules(new CommandHandler(store, ruleDecider, ruleStreamOf), database);
    return {
      module: SnapshotsModule,
      providers: [
        { provide: STORE, useFactory: () => openEventStore({ projections: [snapshotDetails, recycleRules] }) },
        { provide: STREAMS, inject: [STORE], useFactory: streams },
        { provide: RULES, inject: [STORE], useFactory: rules },
        {
          provide: AMAZON_SNAPSHOTS,
          inject: [STREAMS],
          useFactory: async (snapshots: EventSourcedSnapshots) => {
            const amazon = new ProvideAmazonSnapshots(snapshots, clock);
            await amazon.run();
            return amazon;
          },
        },
        { provide: TABLE, useFactory: () => new PostgresSnapshotTable(database) },
        { provide: PAGE_TOKENS, useFactory: () => loadPageTokens(database) },
        { provide: REQUESTS, inject: [STREAMS, TABLE, PAGE_TOKENS, RULES], useFactory: requests },
        {
          provide: CONSUMERS,
          inject: [STREAMS, TABLE],
          useFactory: (snapshots: EventSourcedSnapshots, table: PostgresSnapshotTable) =>
            snapshotConsumers(
              new FollowSnapshot(snapshots, new CopyKeys(snapshots, table, keys, bus, clock), bus, clock),
              new RemoveSnapshot(snapshots, table, bus, clock),
              new FollowTier(snapshots, table, bus, clock),
            ),
        },
      ],
    };
  }
}
