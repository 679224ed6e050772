import type { ec2 } from '@holdfast/aws-protocol';
import { callerOf, type RequestContext } from '@holdfast/contracts';
import { dryRunOperation, type PageTokens } from '@holdfast/ec2';
import type { Clock } from '@holdfast/service-kit';
import { keyArnOf } from '../domain/snapshot.decider.ts';
import { featurePage } from './feature-pages.ts';
import type { SnapshotFeatureTable } from './feature-ports.ts';
import type { SnapshotStreams } from './ports.ts';
import { refusal } from './refusals.ts';
import { snapshotIdOf } from './snapshot-ids.ts';

/** ListSnapshotsInRecycleBin and RestoreSnapshotFromRecycleBin. */
export class RecycleBin {
  constructor(
    private readonly snapshots: SnapshotStreams,
    private readonly table: SnapshotFeatureTable,
    private readonly tokens: PageTokens,
    private readonly clock: Clock,
  ) {}

  async list(
    input: ec2.ListSnapshotsInRecycleBinRequest,
    context: RequestContext,
  ): Promise<ec2.ListSnapshotsInRecycleBinResult> {
    if (input.DryRun === true) throw dryRunOperation();
    const snapshotIds = (input.SnapshotIds ?? []).map(snapshotIdOf);
    const now = this.clock.instant();
    const { items, nextToken } = await featurePage(
      { tokens: this.tokens, action: 'ListSnapshotsInRecycleBin', input, context },
      (page) => this.table.recycled({ ...page, snapshotIds }, now, context),
      ({ snapshotId, recycledAt, exitsAt, description, volumeId }) => ({
        SnapshotId: snapshotId,
        RecycleBinEnterTime: recycledAt,
        RecycleBinExitTime: exitsAt,
        Description: description,
        VolumeId: volumeId,
      }),
    );
    const missing = snapshotIds.find((id) => !items.some(({ SnapshotId }) => SnapshotId === id));
    if (missing !== undefined) throw refusal('SnapshotNotFound', { snapshotId: missing });
    return { Snapshots: items, NextToken: nextToken };
  }

  async restore(
    input: Partial<ec2.RestoreSnapshotFromRecycleBinRequest>,
    context: RequestContext,
  ): Promise<ec2.RestoreSnapshotFromRecycleBinResult> {
    const snapshotId = snapshotIdOf(input.SnapshotId);
    const state = await this.snapshots.load(snapshotId);
    const { started, status } = state;
    if (started?.ownerId !== context.accountId || started.region !== context.region || status !== 'recycled')
      throw refusal('SnapshotNotInBin', { snapshotId });
    if (input.DryRun === true) throw dryRunOperation();
    const command = { type: 'RestoreFromBin', snapshotId, at: this.clock.instant() } as const;
    await this.snapshots.handle(command, { caller: callerOf(context) });
    return {
      SnapshotId: snapshotId,
      Description: started.description,
      Encrypted: keyArnOf(state) !== null,
      OwnerId: started.ownerId,
      Progress: '100%',
      StartTime: started.at,
      State: 'recovering',
      VolumeId: started.type === 'SnapshotStarted' ? started.volumeId : 'vol-ffffffff',
      VolumeSize: started.volumeSizeGiB,
    };
  }
}
