import type { ec2 } from '@holdfast/aws-protocol';
import { callerOf, type RequestContext } from '@holdfast/contracts';
import {
  dryRunOperation,
  invalidParameterCombination,
  invalidParameterValue,
  missingParameter,
  type PageTokens,
  tagList,
} from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import type { SnapshotState } from '../domain/snapshot.decider.ts';
import { featurePage } from './feature-pages.ts';
import type { SnapshotFeatureTable, TieredRow } from './feature-ports.ts';
import { ownSnapshot } from './own-snapshot.ts';
import type { SnapshotStreams } from './ports.ts';
import { refusal } from './refusals.ts';
import { snapshotIdOf } from './snapshot-ids.ts';

/** EC2's quotas on the archive tier. */
const MAX_ARCHIVED_OF_VOLUME = 25;
const MAX_ARCHIVING = 25;
const MAX_RESTORING = 5;

/** ModifySnapshotTier, RestoreSnapshotTier and DescribeSnapshotTierStatus. */
export class SnapshotTiers {
  constructor(
    private readonly snapshots: SnapshotStreams,
    private readonly table: SnapshotFeatureTable,
    private readonly requests: Requests,
    private readonly tokens: PageTokens,
    private readonly clock: Clock,
  ) {}

  async archive(
    input: Partial<ec2.ModifySnapshotTierRequest>,
    context: RequestContext,
  ): Promise<ec2.ModifySnapshotTierResult> {
    const snapshotId = snapshotIdOf(input.SnapshotId);
    const { StorageTier: tier } = input;
    // The tier's only value is what it is when it is left out.
    if (tier !== undefined && tier !== 'archive')
      throw invalidParameterValue(`Invalid value '${tier}' for storageTier. Expected: 'archive'.`);
    const state = await ownSnapshot(this.snapshots, snapshotId, context);
    const ofImages = { snapshotId, exceptDisabled: true };
    const { imageIds } = await this.requests.call('instances', 'ListImagesOfSnapshot', ofImages, context);
    if (imageIds.length > 0) throw refusal('SnapshotInUse', { snapshotId, imageIds: imageIds.join(', ') });
    await this.checkArchiveQuotas(state, context);
    if (input.DryRun === true) throw dryRunOperation();
    const at = this.clock.instant();
    await this.snapshots.handle({ type: 'ArchiveSnapshot', snapshotId, at }, { caller: callerOf(context) });
    return { SnapshotId: snapshotId, TieringStartTime: at };
  }

  async restore(
    input: Partial<ec2.RestoreSnapshotTierRequest>,
    context: RequestContext,
  ): Promise<ec2.RestoreSnapshotTierResult> {
    const snapshotId = snapshotIdOf(input.SnapshotId);
    const { TemporaryRestoreDays: days, PermanentRestore: isPermanent = false } = input;
    if (isPermanent && days !== undefined)
      throw invalidParameterCombination('Specify either TemporaryRestoreDays or PermanentRestore, but not both.');
    if (!isPermanent && days === undefined) throw missingParameter('TemporaryRestoreDays');
    await ownSnapshot(this.snapshots, snapshotId, context);
    const { restoring } = await this.table.tierCounts(null, context);
    if (restoring >= MAX_RESTORING) throw refusal('ConcurrentRestoresExceeded');
    if (input.DryRun === true) throw dryRunOperation();
    const at = this.clock.instant();
    const command = { type: 'RestoreTier', snapshotId, days: isPermanent ? null : (days ?? null), at } as const;
    await this.snapshots.handle(command, { caller: callerOf(context) });
    return {
      SnapshotId: snapshotId,
      RestoreStartTime: at,
      RestoreDuration: isPermanent ? undefined : days,
      IsPermanentRestore: isPermanent,
    };
  }

  async describe(
    input: ec2.DescribeSnapshotTierStatusRequest,
    context: RequestContext,
  ): Promise<ec2.DescribeSnapshotTierStatusResult> {
    if (input.DryRun === true) throw dryRunOperation();
    const { items, nextToken } = await featurePage(
      { tokens: this.tokens, action: 'DescribeSnapshotTierStatus', input, context },
      (page) => this.table.tiered({ ...page, filters: input.Filters }, context),
      (row) => row,
    );
    const SnapshotTierStatuses = await Promise.all(items.map((row) => this.view(row, context)));
    return { SnapshotTierStatuses, NextToken: nextToken };
  }

  private async checkArchiveQuotas({ started }: SnapshotState, context: RequestContext): Promise<void> {
    const ofVolume = started?.type === 'SnapshotStarted' && started.direct === undefined ? started.volumeId : null;
    const { archiving, archivedOfVolume } = await this.table.tierCounts(ofVolume, context);
    if (archiving >= MAX_ARCHIVING) throw refusal('ConcurrentArchivalsExceeded');
    if (archivedOfVolume >= MAX_ARCHIVED_OF_VOLUME) throw refusal('ArchivedSnapshotsExceeded');
  }

  private async view(
    { snapshotId, ownerId, volumeId, state, tags, tier }: TieredRow,
    context: RequestContext,
  ): Promise<ec2.SnapshotTierStatus> {
    const { operation, stage } = tier;
    const isUnderWay = operation?.outcome === 'in-progress';
    const { progress } = isUnderWay
      ? await this.requests.call('data-plane', 'GetArchiveProgress', { snapshotId }, context)
      : { progress: operation?.outcome === 'completed' ? 100 : 0 };
    return {
      SnapshotId: snapshotId,
      VolumeId: volumeId,
      Status: state,
      OwnerId: ownerId,
      Tags: tagList(tags),
      StorageTier: stage === 'archived' || stage === 'restoring' ? 'archive' : 'standard',
      LastTieringStartTime: operation?.startedAt,
      LastTieringProgress: progress,
      LastTieringOperationStatus: operation === null ? undefined : `${operation.kind}-${operation.outcome}`,
      LastTieringOperationStatusDetail: operation?.detail ?? undefined,
      ArchivalCompleteTime: tier.archivedAt ?? undefined,
      RestoreExpiryTime: tier.restoreExpiresAt ?? undefined,
    };
  }
}
