import type { ec2 } from '@holdfast/aws-protocol';
import {
  AwsError,
  callerOf,
  type InstanceId,
  instanceId as instanceIdOf,
  type InternalRequests,
  newSnapshotId,
  type RequestContext,
  type SnapshotId,
  type VolumeId,
  type VolumeRecord,
} from '@holdfast/contracts';
import {
  dryRunOperation,
  exceedsTagLimit,
  invalidParameterCombination,
  invalidParameterValue,
  missingParameter,
  refuseParameters,
  tagLimitExceeded,
  tagList,
  type Tags,
  tagsOfSpecifications,
  withTags,
} from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import type { SnapshotCommand } from '../domain/snapshot.commands.ts';
import { checkedDescription } from './description.ts';
import type { SnapshotStreams, SnapshotTable } from './ports.ts';
import { checkSnapshotCount, checkVolumeQuotas } from './quotas.ts';
import { refusal } from './refusals.ts';

const MAX_EXCLUDED = 40;
const MAX_VOLUMES = 127;
const FAILED = 'The snapshots of the set could not be taken at one moment';

type Start = Extract<SnapshotCommand, { type: 'CreateSnapshot' }>;

/**
 * All volumes of an instance as they are at one moment, or none: when this answers, that moment is fixed on disk. They are
 * completed together; where one fails, all of them end in `error`.
 */
export class CreateSnapshots {
  constructor(
    private readonly snapshots: SnapshotStreams,
    readonly table: SnapshotTable,
    private readonly requests: Requests,
    readonly clock: Clock,
    readonly intervalSeconds: number,
  ) {}

  async run(input: Partial<ec2.CreateSnapshotsRequest>, context: RequestContext): Promise<ec2.CreateSnapshotsResult> {
    const { InstanceSpecification: specification, CopyTagsFromSource: copiesTags } = input;
    refuseParameters({
      OutpostArn: input.OutpostArn,
      Location: input.Location === 'regional' ? undefined : input.Location,
    });
    if (specification === undefined) throw missingParameter('instanceSpecification');
    if (copiesTags !== undefined && copiesTags !== 'volume')
      throw invalidParameterValue(`Invalid value '${copiesTags}' for copyTagsFromSource. Expected: 'volume'.`);
    const description = checkedDescription(input.Description);
    const tags = tagsOfSpecifications(input.TagSpecifications, 'snapshot');
    const volumes = await this.volumes(specification, context);
    const tagsOf = copiesTags === undefined ? () => tags : await this.copiedTags(volumes, tags, context);
    if (input.DryRun === true) throw dryRunOperation();
    await checkSnapshotCount(this.table, volumes.length, context);
    for (const volume of volumes) await checkVolumeQuotas(this, volume, context);
    const set = volumes.map(({ volumeId }) => ({ snapshotId: newSnapshotId(), volumeId }));
    const commands = this.commandsOf(volumes, set, description, tagsOf, context, true);
    await this.snapshots.startAll(commands, { caller: callerOf(context) });
    const isTaken = await this.freeze(commands, context);
    return { Snapshots: commands.map((command) => view(command, isTaken ? 'pending' : 'error')) };
  }

  /** Of an instance's volumes, for an image. Asked for again, even at the same time, it goes on with what was begun. */
  async forImage(
    { snapshots, description, tags }: InternalRequests['snapshots']['CreateImageSnapshots']['in'],
    context: RequestContext,
  ): Promise<Record<string, never>> {
    const [first] = snapshots;
    if (first === undefined) return {};
    const isBegun = async () => (await this.snapshots.load(first.snapshotId)).status !== 'absent';
    if (await isBegun()) return this.refreeze(snapshots, context);
    try {
      const volumes = await Promise.all(snapshots.map(({ volumeId }) => this.volume(volumeId, context)));
      await checkSnapshotCount(this.table, volumes.length, context);
      for (const volume of volumes) await checkVolumeQuotas(this, volume, context);
      const isSet = snapshots.length > 1;
      const commands = this.commandsOf(volumes, snapshots, description, () => tags, context, isSet);
      await this.snapshots.startAll(commands, { caller: callerOf(context) });
      await this.freeze(commands, context);
      return {};
    } catch (error) {
      if (!(await isBegun())) throw error;
      return this.refreeze(snapshots, context);
    }
  }

  /** Whoever began them may not have got so far. */
  private async refreeze(
    snapshots: InternalRequests['snapshots']['CreateImageSnapshots']['in']['snapshots'],
    context: RequestContext,
  ): Promise<Record<string, never>> {
    for (const { snapshotId } of snapshots) if ((await this.snapshots.load(snapshotId)).status !== 'pending') return {};
    await this.requests.call('data-plane', 'FreezeSnapshots', { snapshots }, context);
    return {};
  }

  private async volume(volumeId: VolumeId, context: RequestContext): Promise<VolumeRecord> {
    const volume = await this.requests.call('volumes', 'GetVolume', { volumeId }, context);
    if (volume === null) throw refusal('VolumeNotFound', { volumeId });
    if (volume.state !== 'in-use') throw refusal('VolumeNotReady', { volumeId });
    return volume;
  }

  private async volumes(
    { InstanceId: id, ExcludeBootVolume, ExcludeDataVolumeIds: excluded = [] }: Partial<ec2.InstanceSpecification>,
    context: RequestContext,
  ): Promise<VolumeRecord[]> {
    const instanceId = parseInstanceId(id);
    if (excluded.length > MAX_EXCLUDED)
      throw invalidParameterValue(`At most ${String(MAX_EXCLUDED)} volumes may be excluded.`);
    const instance = await this.requests.call('instances', 'GetInstance', { instanceId }, context);
    if (instance === null) throw refusal('InstanceNotFound', { instanceId });
    const question = { InstanceId: instanceId, Attribute: 'rootDeviceName' };
    const { RootDeviceName: root } = await this.requests.request<ec2.InstanceAttribute>(
      'instances',
      'DescribeInstanceAttribute',
      question,
      context,
    );
    const { attachments } = await this.requests.call(
      'volumes',
      'ListAttachments',
      { instanceIds: [instanceId] },
      context,
    );
    const attached = attachments.filter(({ state }) => state === 'attached');
    const rootId = attached.find(({ device }) => device === root?.Value)?.volumeId;
    for (const volumeId of excluded) {
      if (volumeId === rootId) throw refusal('RootVolumeExcluded', { volumeId });
      if (!attached.some((attachment) => attachment.volumeId === volumeId))
        throw refusal('VolumeNotAttached', { volumeId, instanceId });
    }
    const wanted = attached.filter(
      ({ volumeId }) => !excluded.includes(volumeId) && !(ExcludeBootVolume === true && volumeId === rootId),
    );
    if (wanted.length === 0)
      throw invalidParameterCombination(`No volumes of instance '${instanceId}' are left to create snapshots of.`);
    if (wanted.length > MAX_VOLUMES)
      throw invalidParameterValue(`At most ${String(MAX_VOLUMES)} volumes can be in a set of snapshots.`);
    return Promise.all(wanted.map(({ volumeId }) => this.volume(volumeId, context)));
  }

  /** What the request says wins over what the volume has. AWS's own tags are not copied. */
  private async copiedTags(
    volumes: readonly VolumeRecord[],
    own: Tags,
    context: RequestContext,
  ): Promise<(volumeId: string) => Tags> {
    const input = { Filters: [{ Name: 'resource-id', Values: volumes.map(({ volumeId }) => volumeId) }] };
    const { Tags: all = [] } = await this.requests.request<ec2.DescribeTagsResult>(
      'volumes',
      'DescribeTags',
      input,
      context,
    );
    const tagsOf = (volumeId: string) => {
      const theirs = all.filter(({ ResourceId, Key = '' }) => ResourceId === volumeId && !Key.startsWith('aws:'));
      return withTags(Object.fromEntries(theirs.map(({ Key = '', Value = '' }) => [Key, Value])), own);
    };
    if (volumes.some(({ volumeId }) => exceedsTagLimit(tagsOf(volumeId)))) throw tagLimitExceeded();
    return tagsOf;
  }

  private commandsOf(
    volumes: readonly VolumeRecord[],
    set: readonly { snapshotId: SnapshotId; volumeId: VolumeId }[],
    description: string,
    tagsOf: (volumeId: string) => Tags,
    { accountId: ownerId, region }: RequestContext,
    isSet: boolean,
  ): Start[] {
    const at = this.clock.instant();
    return volumes.map(({ volumeId, sizeGiB: volumeSizeGiB, dataKey }, i) => {
      const { snapshotId } = set[i] ?? { snapshotId: newSnapshotId() };
      const volume = { volumeId, volumeSizeGiB, dataKey };
      const common = { ownerId, region, description, tags: tagsOf(volumeId), at };
      return { type: 'CreateSnapshot', snapshotId, ...volume, ...common, ...(isSet ? { set } : {}) };
    });
  }

  /** @returns whether they were taken. An outage is not told of: whoever follows the snapshots tries again. */
  private async freeze(commands: readonly Start[], context: RequestContext): Promise<boolean> {
    const snapshots = commands.map(({ snapshotId, volumeId }) => ({ snapshotId, volumeId }));
    try {
      await this.requests.call('data-plane', 'FreezeSnapshots', { snapshots }, context);
      return true;
    } catch (error) {
      const text = error instanceof AwsError ? `${error.code}: ${error.message}` : String(error);
      for (const { snapshotId } of commands) {
        const failure = { message: FAILED, cause: text, at: this.clock.instant() };
        await this.snapshots.handle({ type: 'FailSnapshot', snapshotId, ...failure }, { caller: callerOf(context) });
      }
      return false;
    }
  }
}

const parseInstanceId = (id: string | undefined): InstanceId => {
  if (id === undefined || id === '') throw missingParameter('instanceId');
  try {
    return instanceIdOf(id);
  } catch {
    throw refusal('InstanceIdMalformed', { instanceId: id });
  }
};

const view = (command: Start, state: 'pending' | 'error'): ec2.SnapshotInfo => ({
  SnapshotId: command.snapshotId,
  VolumeId: command.volumeId,
  State: state,
  StartTime: command.at,
  Progress: '',
  OwnerId: command.ownerId,
  Description: command.description,
  VolumeSize: command.volumeSizeGiB,
  Encrypted: command.dataKey !== null,
  Tags: tagList(command.tags),
});
