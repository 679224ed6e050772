import {
  AttachVolumeCommand,
  CopySnapshotCommand,
  CreateSnapshotCommand,
  CreateVolumeCommand,
  type CreateVolumeCommandInput,
  DeleteSnapshotCommand,
  DeleteVolumeCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeSnapshotsCommand,
  DescribeVolumesCommand,
  DetachVolumeCommand,
  EC2Client,
  RunInstancesCommand,
  TerminateInstancesCommand,
  type Volume,
} from '@aws-sdk/client-ec2';
import { CreateKeyCommand, DisableKeyCommand, EnableKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { join } from 'node:path';

const REGION = 'eu-central-1';
const ZONE = `${REGION}a`;
const SETTLE_TIMEOUT_MS = 120_000;
const POLL_MS = 50;

/** What the demonstration does as a user of AWS's interface, through Amazon's own SDK. */
export class DemoAccount {
  private readonly ec2: EC2Client;
  private readonly kms: KMSClient;

  constructor(
    endpoint: string,
    private readonly home: string,
    readonly accountId: string,
  ) {
    const settings = { endpoint, region: REGION, credentials: { accessKeyId: accountId, secretAccessKey: 'test' } };
    this.ec2 = new EC2Client(settings);
    this.kms = new KMSClient(settings);
  }

  async createKey(Description: string): Promise<string> {
    return present((await this.kms.send(new CreateKeyCommand({ Description }))).KeyMetadata?.Arn);
  }

  disableKey(KeyId: string) {
    return this.kms.send(new DisableKeyCommand({ KeyId }));
  }

  enableKey(KeyId: string) {
    return this.kms.send(new EnableKeyCommand({ KeyId }));
  }

  async launchInstance(): Promise<string> {
    const { Images } = await this.ec2.send(new DescribeImagesCommand({ Owners: ['amazon'] }));
    const run = new RunInstancesCommand({
      ImageId: present(Images?.[0]?.ImageId),
      InstanceType: 't3.micro',
      MinCount: 1,
      MaxCount: 1,
      Placement: { AvailabilityZone: ZONE },
    });
    const id = present((await this.ec2.send(run)).Instances?.[0]?.InstanceId);
    await settled(
      () => this.ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] })),
      ({ Reservations }) => Reservations?.[0]?.Instances?.[0]?.State?.Name === 'running',
    );
    return id;
  }

  terminateInstance(instanceId: string) {
    return this.ec2.send(new TerminateInstancesCommand({ InstanceIds: [instanceId] }));
  }

  async createVolume(input: Partial<CreateVolumeCommandInput>): Promise<Volume> {
    const created = await this.ec2.send(new CreateVolumeCommand({ AvailabilityZone: ZONE, ...input }));
    return this.volumeIn('available', present(created.VolumeId));
  }

  /** @returns the path of the volume's NBD socket. */
  async attach(VolumeId: string, InstanceId: string, Device: string): Promise<string> {
    await this.ec2.send(new AttachVolumeCommand({ VolumeId, InstanceId, Device }));
    await settled(
      () => this.ec2.send(new DescribeVolumesCommand({ VolumeIds: [VolumeId] })),
      ({ Volumes }) => Volumes?.[0]?.Attachments?.[0]?.State === 'attached',
    );
    return join(this.home, 'instances', InstanceId, Device);
  }

  async detach(VolumeId: string): Promise<void> {
    await this.ec2.send(new DetachVolumeCommand({ VolumeId }));
    await this.volumeIn('available', VolumeId);
  }

  deleteVolume(VolumeId: string) {
    return this.ec2.send(new DeleteVolumeCommand({ VolumeId }));
  }

  /** Answered once the point in time is fixed; `snapshotCompleted` waits for the blocks. */
  async createSnapshot(VolumeId: string): Promise<string> {
    return present((await this.ec2.send(new CreateSnapshotCommand({ VolumeId }))).SnapshotId);
  }

  async copySnapshot(SourceSnapshotId: string, KmsKeyId: string): Promise<string> {
    const copy = new CopySnapshotCommand({ SourceSnapshotId, SourceRegion: REGION, Encrypted: true, KmsKeyId });
    return present((await this.ec2.send(copy)).SnapshotId);
  }

  async snapshotCompleted(snapshotId: string): Promise<void> {
    const { Snapshots } = await settled(
      () => this.ec2.send(new DescribeSnapshotsCommand({ SnapshotIds: [snapshotId] })),
      (answer) => answer.Snapshots?.[0]?.State !== 'pending',
    );
    const { State, StateMessage } = Snapshots?.[0] ?? {};
    if (State !== 'completed') throw new Error(`${snapshotId} is ${State ?? 'gone'}: ${StateMessage ?? ''}`);
  }

  deleteSnapshot(SnapshotId: string) {
    return this.ec2.send(new DeleteSnapshotCommand({ SnapshotId }));
  }

  private async volumeIn(state: string, VolumeId: string): Promise<Volume> {
    const { Volumes } = await settled(
      () => this.ec2.send(new DescribeVolumesCommand({ VolumeIds: [VolumeId] })),
      (answer) => answer.Volumes?.[0]?.State === state,
    );
    return Volumes?.[0] ?? {};
  }
}

const present = (value: string | undefined): string => {
  if (value === undefined) throw new Error('the answer lacks what it always has');
  return value;
};

const settled = async <T>(ask: () => Promise<T>, done: (answer: T) => boolean): Promise<T> => {
  const deadline = Date.now() + SETTLE_TIMEOUT_MS;
  for (;;) {
    const answer = await ask();
    if (done(answer)) return answer;
    if (Date.now() > deadline) throw new Error('waited two minutes for a state that did not come');
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
};
