import type { ec2 } from '@holdfast/aws-protocol';
import { type AwsError, newSnapshotId } from '@holdfast/contracts';
import { FakeKms } from '@holdfast/ec2/testing';
import { testContext } from '@holdfast/messaging/testing';
import { turnClocks } from '@holdfast/service-kit';
import { startTestStack, type TestStack } from '@holdfast/service-kit/testing';
import { randomUUID } from 'node:crypto';
import { vi } from 'vitest';
import { start } from '../service.ts';
import { FakeSnapshots } from './fake-snapshots.ts';
import { FakeVolumes } from './fake-volumes.ts';

const UNTIL = { timeout: 60_000, interval: 30 };

/** Accounts besides the one that calls when nothing else is said. */
export const BOB = { accountId: '444455556666' };
export const EVE = { accountId: '777788889999' };

/** The code that a request is refused with. */
export const refused = (work: Promise<unknown>): Promise<string> => work.then(() => 'no refusal', (error: AwsError) => error.code); // prettier-ignore

export const name = (): string => `image ${randomUUID()}`;

/** This service on a real Postgres and nats-server, among doubles of the services that images need. */
export class ImagesStack {
  readonly volumes = new FakeVolumes();
  readonly snapshots = new FakeSnapshots();
  readonly kms = new FakeKms();
  readonly defaults = { encryptionByDefault: false, defaultKmsKeyId: null as string | null };
  /** Block public access for images. */
  publicAccess: 'block-new-sharing' | 'unblocked' = 'unblocked';
  private stack: TestStack | undefined;

  async start(postgresAdminUrl: string): Promise<void> {
    this.stack = await startTestStack(postgresAdminUrl);
    const { bus } = this.stack;
    await bus.serveRequests('volumes', this.volumes.handlers);
    await bus.serveRequests('snapshots', this.snapshots.handlers);
    await bus.serveRequests('kms', this.kms.handlers);
    await bus.serveRequests('account-settings', {
      GetEncryptionDefaults: () => Promise.resolve(this.defaults),
      GetImageBlockPublicAccessState: () => Promise.resolve({ ImageBlockPublicAccessState: this.publicAccess }),
    });
    await this.stack.start(start, { hostId: 'host-1' });
  }

  async close(): Promise<void> {
    await this.stack?.close();
  }

  /** Before a test: what begins is complete at once, and nothing is refused. */
  readonly forget = (): void => {
    this.snapshots.begins = 'completed';
    this.snapshots.refusal = null;
    this.snapshots.retention = () => null;
    this.publicAccess = 'unblocked';
    this.defaults.encryptionByDefault = false;
  };

  /** @param hours ahead of the system's clock. */
  async turnClock(hours: number): Promise<void> {
    if (this.stack === undefined) throw new Error('not started');
    await turnClocks(this.stack.bus.connection, ['instances'], hours * 3_600_000);
  }

  readonly call = <Output>(action: string, input: object = {}, fields = {}): Promise<Output> => {
    if (this.stack === undefined) throw new Error('not started');
    return this.stack.bus.request<Output>('instances', action, input, testContext(60_000, fields));
  };

  readonly images = async (input: ec2.DescribeImagesRequest, fields = {}) =>
    (await this.call<ec2.DescribeImagesResult>('DescribeImages', input, fields)).Images ?? [];

  readonly image = async (id: string, fields = {}) => (await this.images({ ImageIds: [id] }, fields))[0];

  readonly reaches = async (id: string, state: string, fields = {}) => {
    await vi.waitUntil(async () => (await this.image(id, fields))?.State === state, UNTIL);
    return this.image(id, fields);
  };

  readonly register = async (
    input: Partial<ec2.RegisterImageRequest> = {},
    snapshotId = this.snapshots.add(newSnapshotId()),
  ) => {
    const BlockDeviceMappings = [{ DeviceName: '/dev/xvda', Ebs: { SnapshotId: snapshotId } }];
    const wish = { Name: name(), RootDeviceName: '/dev/xvda', BlockDeviceMappings, ...input };
    return (await this.call<ec2.RegisterImageResult>('RegisterImage', wish)).ImageId ?? '';
  };

  readonly run = (ImageId: string, fields = {}, input = {}) => {
    const wish = { ImageId, InstanceType: 't3.micro', MinCount: 1, MaxCount: 1, ...input };
    return this.call<ec2.Reservation>('RunInstances', wish, fields);
  };

  /** One that runs, of Amazon's image. */
  readonly instance = async () => {
    const [amazons] = await this.images({ Owners: ['amazon'] });
    const id = (await this.run(amazons?.ImageId ?? '')).Instances?.[0]?.InstanceId ?? '';
    const state = async () => {
      const { Reservations } = await this.call<ec2.DescribeInstancesResult>('DescribeInstances', { InstanceIds: [id] });
      return Reservations?.[0]?.Instances?.[0]?.State?.Name;
    };
    await vi.waitUntil(async () => (await state()) === 'running', UNTIL);
    return id;
  };

  readonly create = async (InstanceId: string, input: Partial<ec2.CreateImageRequest> = {}) =>
    (await this.call<ec2.CreateImageResult>('CreateImage', { InstanceId, Name: name(), ...input })).ImageId ?? '';

  readonly copy = async (SourceImageId: string, input: Partial<ec2.CopyImageRequest> = {}, fields = {}) => {
    const wish = { SourceImageId, SourceRegion: 'eu-central-1', Name: name(), ...input };
    return (await this.call<ec2.CopyImageResult>('CopyImage', wish, fields)).ImageId ?? '';
  };

  readonly share = (ImageId: string, ...UserIds: string[]) =>
    this.call('ModifyImageAttribute', { ImageId, LaunchPermission: { Add: UserIds.map((UserId) => ({ UserId })) } });
}
