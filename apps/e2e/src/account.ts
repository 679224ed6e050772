import {
  AttachVolumeCommand,
  CreateVolumeCommand,
  type CreateVolumeCommandInput,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeSnapshotsCommand,
  DescribeVolumesCommand,
  DetachVolumeCommand,
  RunInstancesCommand,
} from '@aws-sdk/client-ec2';
import { CreateKeyCommand } from '@aws-sdk/client-kms';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { type Clients, clientsFor, eventually } from './clients.ts';
import type { Stack } from './stack.ts';

export const REGION = 'eu-central-1';
export const ZONE = `${REGION}a`;

/** Nobody's yet. */
export const newAccountId = (): string => String(randomInt(100_000_000_000, 1_000_000_000_000));

/** The calls that most tests begin with, each waiting until what it began has settled. */
export class TestAccount {
  readonly clients: Clients;

  constructor(
    private readonly stack: Pick<Stack, 'endpoint' | 'home'>,
    readonly accountId = '111122223333',
    clients?: Clients,
  ) {
    this.clients = clients ?? clientsFor(stack.endpoint, accountId, REGION);
  }

  get ec2() {
    return this.clients.ec2;
  }

  get kms() {
    return this.clients.kms;
  }

  async newKey(): Promise<string> {
    return (await this.kms.send(new CreateKeyCommand({}))).KeyMetadata?.Arn ?? '';
  }

  async volume(input: Partial<CreateVolumeCommandInput>) {
    const { VolumeId = '' } = await this.ec2.send(new CreateVolumeCommand({ AvailabilityZone: ZONE, ...input }));
    return this.volumeIn('available', VolumeId);
  }

  async volumeIn(state: string, volumeId: string) {
    const { Volumes } = await eventually(
      () => this.ec2.send(new DescribeVolumesCommand({ VolumeIds: [volumeId] })),
      (answer) => answer.Volumes?.[0]?.State === state,
    );
    return { ...Volumes?.[0], VolumeId: volumeId };
  }

  async launch(): Promise<string> {
    const { Images } = await this.ec2.send(new DescribeImagesCommand({ Owners: ['amazon'] }));
    const { Instances } = await this.ec2.send(
      new RunInstancesCommand({
        ImageId: Images?.[0]?.ImageId ?? '',
        InstanceType: 't3.micro',
        MinCount: 1,
        MaxCount: 1,
        Placement: { AvailabilityZone: ZONE },
      }),
    );
    const id = Instances?.[0]?.InstanceId ?? '';
    await eventually(
      () => this.ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] })),
      ({ Reservations }) => Reservations?.[0]?.Instances?.[0]?.State?.Name === 'running',
    );
    return id;
  }

  /** @returns the path of the NBD socket. */
  async attach(volumeId: string, instanceId: string, device: string): Promise<string> {
    await this.ec2.send(new AttachVolumeCommand({ VolumeId: volumeId, InstanceId: instanceId, Device: device }));
    await eventually(
      () => this.ec2.send(new DescribeVolumesCommand({ VolumeIds: [volumeId] })),
      ({ Volumes }) => Volumes?.[0]?.Attachments?.[0]?.State === 'attached',
    );
    return join(this.stack.home, 'instances', instanceId, device);
  }

  async detach(volumeId: string) {
    await this.ec2.send(new DetachVolumeCommand({ VolumeId: volumeId }));
    return this.volumeIn('available', volumeId);
  }

  async snapshotSettled(snapshotId: string) {
    const { Snapshots } = await eventually(
      () => this.ec2.send(new DescribeSnapshotsCommand({ SnapshotIds: [snapshotId] })),
      (answer) => answer.Snapshots?.[0]?.State !== 'pending',
    );
    return Snapshots?.[0] ?? {};
  }
}
