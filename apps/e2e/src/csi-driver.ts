import {
  AttachVolumeCommand,
  CreateSnapshotCommand,
  CreateTagsCommand,
  CreateVolumeCommand,
  DeleteSnapshotCommand,
  DeleteTagsCommand,
  DeleteVolumeCommand,
  DescribeAvailabilityZonesCommand,
  DescribeInstancesCommand,
  DescribeSnapshotsCommand,
  DescribeVolumesCommand,
  DescribeVolumesModificationsCommand,
  DetachVolumeCommand,
  type EC2Client,
  type Filter,
  ModifyVolumeCommand,
  type Snapshot,
  type Volume,
} from '@aws-sdk/client-ec2';
import { createHash } from 'node:crypto';
import { eventually } from './clients.ts';

const VOLUME_NAME_TAG = 'CSIVolumeName';
const SNAPSHOT_NAME_TAG = 'CSIVolumeSnapshotName';
const CLUSTER_TAG = { Key: 'ebs.csi.aws.com/cluster', Value: 'true' };

export interface DiskOptions {
  readonly sizeGiB: number;
  readonly zone: string;
  readonly encrypted?: boolean;
  readonly kmsKeyId?: string;
  readonly snapshotId?: string;
}

/** Whether an answer is one of the refusals that the driver takes for "it is so already". */
const isOneOf = (error: unknown, ...codes: string[]): boolean => error instanceof Error && codes.includes(error.name);

const unlessGone = async (call: Promise<unknown>, ...codes: string[]): Promise<'done' | 'gone'> => {
  try {
    await call;
    return 'done';
  } catch (error) {
    if (isOneOf(error, ...codes)) return 'gone';
    throw error;
  }
};

const named = (tag: string, name: string): Filter[] => [{ Name: `tag:${tag}`, Values: [name] }];

/**
 * The calls that the Amazon EBS CSI driver makes, with its parameters, its checks and its way of taking errors.
 * @see kubernetes-sigs/aws-ebs-csi-driver, pkg/cloud/cloud.go
 */
export class CsiDriver {
  constructor(private readonly ec2: EC2Client) {}

  /** The liveness probe: alive if the dry run is answered as one. */
  async probe(): Promise<boolean> {
    const call = this.ec2.send(new DescribeAvailabilityZonesCommand({ DryRun: true }));
    return (await unlessGone(call, 'DryRunOperation')) === 'gone';
  }

  /** Asked again by the same name, it gives the same volume: the client token is the name's digest. */
  async createDisk(name: string, { sizeGiB, zone, encrypted = false, kmsKeyId, snapshotId }: DiskOptions) {
    const { VolumeId = '' } = await this.ec2.send(
      new CreateVolumeCommand({
        ClientToken: createHash('sha256').update(name).digest('hex'),
        Size: sizeGiB,
        VolumeType: 'gp3',
        Encrypted: encrypted || kmsKeyId !== undefined,
        MultiAttachEnabled: false,
        AvailabilityZone: zone,
        ...(kmsKeyId === undefined ? {} : { KmsKeyId: kmsKeyId }),
        ...(snapshotId === undefined ? {} : { SnapshotId: snapshotId }),
        TagSpecifications: [{ ResourceType: 'volume', Tags: [{ Key: VOLUME_NAME_TAG, Value: name }, CLUSTER_TAG] }],
      }),
    );
    await eventually(
      () => this.disk(VolumeId),
      (volume) => volume.State === 'available',
    );
    return VolumeId;
  }

  async disk(volumeId: string): Promise<Volume> {
    const { Volumes } = await this.ec2.send(new DescribeVolumesCommand({ VolumeIds: [volumeId] }));
    return Volumes?.[0] ?? {};
  }

  async diskByName(name: string): Promise<Volume | undefined> {
    const filters = named(VOLUME_NAME_TAG, name);
    const { Volumes = [] } = await this.ec2.send(new DescribeVolumesCommand({ Filters: filters }));
    if (Volumes.length > 1) throw new Error(`${String(Volumes.length)} volumes are called ${name}`);
    return Volumes[0];
  }

  async deleteDisk(volumeId: string): Promise<'done' | 'gone'> {
    return unlessGone(this.ec2.send(new DeleteVolumeCommand({ VolumeId: volumeId })), 'InvalidVolume.NotFound');
  }

  /** @returns the device name: the one the volume has there already, else the first that is free. */
  async attachDisk(volumeId: string, instanceId: string): Promise<string> {
    const taken = await this.devices(instanceId);
    const there = taken.find((device) => device.volumeId === volumeId);
    let name = there?.name ?? '';
    if (there === undefined) {
      const names = Array.from('abcdefghijklmnop', (letter) => `/dev/xvda${letter}`);
      name = names.find((candidate) => taken.every((device) => device.name !== candidate)) ?? '';
      const call = { Device: name, InstanceId: instanceId, VolumeId: volumeId };
      await this.ec2.send(new AttachVolumeCommand(call));
    }
    await this.attachmentBecomes('attached', volumeId, instanceId);
    return name;
  }

  async detachDisk(volumeId: string, instanceId: string): Promise<'done' | 'gone'> {
    const call = this.ec2.send(new DetachVolumeCommand({ InstanceId: instanceId, VolumeId: volumeId }));
    const outcome = await unlessGone(call, 'IncorrectState', 'InvalidAttachment.NotFound', 'InvalidVolume.NotFound');
    if (outcome === 'done') await this.attachmentBecomes('detached', volumeId, instanceId);
    return outcome;
  }

  /** Grows a volume, unless it has the size; waits until the size can be used. */
  async resizeDisk(volumeId: string, sizeGiB: number): Promise<void> {
    const { Size = 0 } = await this.disk(volumeId);
    if (Size < sizeGiB) await this.ec2.send(new ModifyVolumeCommand({ VolumeId: volumeId, Size: sizeGiB }));
    await eventually(
      () => this.modification(volumeId),
      (state) => state === undefined || state === 'optimizing' || state === 'completed',
    );
  }

  private async modification(volumeId: string) {
    try {
      const call = new DescribeVolumesModificationsCommand({ VolumeIds: [volumeId] });
      const { VolumesModifications = [] } = await this.ec2.send(call);
      return VolumesModifications.at(-1)?.ModificationState;
    } catch (error) {
      if (isOneOf(error, 'InvalidVolumeModification.NotFound')) return undefined;
      throw error;
    }
  }

  async createSnapshot(name: string, volumeId: string): Promise<Snapshot> {
    const known = await this.snapshotByName(name);
    if (known !== undefined) return known;
    return this.ec2.send(
      new CreateSnapshotCommand({
        VolumeId: volumeId,
        Description: `Created by AWS EBS CSI driver for volume ${volumeId}`,
        TagSpecifications: [{ ResourceType: 'snapshot', Tags: [{ Key: SNAPSHOT_NAME_TAG, Value: name }, CLUSTER_TAG] }],
      }),
    );
  }

  async snapshotByName(name: string): Promise<Snapshot | undefined> {
    const filters = named(SNAPSHOT_NAME_TAG, name);
    return (await this.ec2.send(new DescribeSnapshotsCommand({ Filters: filters }))).Snapshots?.[0];
  }

  async snapshotReady(snapshotId: string): Promise<void> {
    await eventually(
      () => this.ec2.send(new DescribeSnapshotsCommand({ SnapshotIds: [snapshotId] })),
      ({ Snapshots }) => Snapshots?.[0]?.State === 'completed',
    );
  }

  /** A page; `maxResults` 0 is what the driver sends for no limit. */
  async listSnapshots(volumeId: string, maxResults = 0, nextToken?: string) {
    return this.ec2.send(
      new DescribeSnapshotsCommand({
        MaxResults: maxResults,
        Filters: [{ Name: 'volume-id', Values: [volumeId] }],
        ...(nextToken === undefined ? {} : { NextToken: nextToken }),
      }),
    );
  }

  async deleteSnapshot(snapshotId: string): Promise<'done' | 'gone'> {
    const call = new DeleteSnapshotCommand({ SnapshotId: snapshotId, DryRun: false });
    return unlessGone(this.ec2.send(call), 'InvalidSnapshot.NotFound');
  }

  async modifyTags(volumeId: string, add: Record<string, string>, remove: readonly string[]): Promise<void> {
    const gone = remove.map((Key) => ({ Key }));
    await this.ec2.send(new DeleteTagsCommand({ Resources: [volumeId], Tags: gone }));
    const added = Object.entries(add).map(([Key, Value]) => ({ Key, Value }));
    await this.ec2.send(new CreateTagsCommand({ Resources: [volumeId], Tags: added }));
  }

  private async devices(instanceId: string): Promise<{ name: string; volumeId: string }[]> {
    const { Reservations } = await this.ec2.send(new DescribeInstancesCommand({ InstanceIds: [instanceId] }));
    const mappings = Reservations?.[0]?.Instances?.[0]?.BlockDeviceMappings ?? [];
    return mappings.map(({ DeviceName = '', Ebs }) => ({ name: DeviceName, volumeId: Ebs?.VolumeId ?? '' }));
  }

  private async attachmentBecomes(state: 'attached' | 'detached', volumeId: string, instanceId: string): Promise<void> {
    await eventually(
      () => this.disk(volumeId),
      ({ Attachments = [] }) =>
        (Attachments.find(({ InstanceId }) => InstanceId === instanceId)?.State ?? 'detached') === state,
    );
  }
}
