import type { ec2 } from '@holdfast/aws-protocol';
import {
  accountId,
  type AwsError,
  type HostAttachment,
  type InstanceRecord,
  instanceId as toInstanceId,
  region,
  type SnapshotRecord,
  snapshotId as toSnapshotId,
  type VolumePerformanceRecord,
} from '@holdfast/contracts';
import { FakeKms } from '@holdfast/ec2/testing';
import { testContext, TestSource } from '@holdfast/messaging/testing';
import { type RunningService, type ServiceEnvironment, turnClocks } from '@holdfast/service-kit';
import { startTestStack, type TestStack } from '@holdfast/service-kit/testing';
import { randomBytes } from 'node:crypto';
import { vi } from 'vitest';
import { start } from '../service.ts';

export const ACCOUNT = '111122223333';
export const ROOT = `arn:aws:iam::${ACCOUNT}:root`;
export const EC2 = 'ec2.eu-central-1.amazonaws.com';
/** Name of the one pair in EBS's encryption contexts. */
export const CONTEXT = 'aws:ebs:id';

/** The data plane's answers, and what it was asked. A volume that it made can be looked at. */
export class FakeDataPlane {
  readonly allocated = new Map<string, Record<string, unknown>>();
  readonly exports = new Map<string, HostAttachment>();
  readonly performance = new Map<string, VolumePerformanceRecord>();
  /** `<volume> <instance>` of each device that is open. */
  readonly open = new Set<string>();
  /** Percent and seconds left of those that are not initialized. */
  readonly initializing = new Map<string, [number, number | null]>();
  calls: string[] = [];
  refuse: Record<string, AwsError> = {};
  afterwards: (action: string) => void = () => undefined;

  private readonly act = (action: string, effect: () => object) => {
    this.calls.push(action);
    const error = this.refuse[action];
    if (error !== undefined) throw error;
    const output = effect();
    this.afterwards(action);
    return Promise.resolve(output);
  };
  readonly handlers = {
    AllocateVolume: (input: { volumeId: string }) =>
      this.act('AllocateVolume', () => {
        this.allocated.set(input.volumeId, input);
        return { hostId: 'host-1' };
      }),
    GetInitialization: ({ volumeIds }: { volumeIds: string[] }) =>
      Promise.resolve({
        initializations: volumeIds.map((volumeId) => {
          const [progress, secondsLeft] = this.initializing.get(volumeId) ?? [100, 0];
          return { volumeId, progress, secondsLeft };
        }),
      }),
    CheckGrowth: () => this.act('CheckGrowth', () => ({})),
    GrowVolume: ({ volumeId, sizeGiB }: { volumeId: string; sizeGiB: number }) =>
      this.act('GrowVolume', () => {
        this.allocated.set(volumeId, { ...this.allocated.get(volumeId), sizeGiB });
        return {};
      }),
    SetPerformance: ({ volumeId, performance }: { volumeId: string; performance: VolumePerformanceRecord }) =>
      this.act('SetPerformance', () => {
        this.performance.set(volumeId, performance);
        return {};
      }),
    RemoveVolume: ({ volumeId }: { volumeId: string }) =>
      this.act('RemoveVolume', () => {
        this.allocated.delete(volumeId);
        return {};
      }),
    OpenExport: (input: HostAttachment) =>
      this.act('OpenExport', () => {
        this.exports.set(input.volumeId, input);
        this.open.add(`${input.volumeId} ${input.instanceId}`);
        return { socketPath: '/socket' };
      }),
    CloseExport: ({ volumeId, instanceId }: { volumeId: string; instanceId: string }) =>
      this.act('CloseExport', () => {
        this.exports.delete(volumeId);
        this.open.delete(`${volumeId} ${instanceId}`);
        return {};
      }),
  };
}

const hex = () => `0${randomBytes(8).toString('hex')}`;

/** This service on a real Postgres and nats-server, among doubles of the services that it asks. */
export class VolumesStack {
  readonly kms = new FakeKms();
  readonly dataPlane = new FakeDataPlane();
  readonly defaults = { encryptionByDefault: false, defaultKmsKeyId: null as string | null };
  private readonly instances = new Map<string, InstanceRecord>();
  private readonly snapshots = new Map<string, SnapshotRecord>();
  /** Snapshots with fast snapshot restore. */
  readonly fastRestored = new Set<string>();
  /** How long a retention rule keeps a volume with these tags that is deleted. */
  retention: (tags: Record<string, string>) => number | null = () => null;
  private stack: TestStack | undefined;
  private environment: ServiceEnvironment | undefined;
  private service: RunningService | undefined;

  async start(postgresAdminUrl: string): Promise<void> {
    this.stack = await startTestStack(postgresAdminUrl);
    const { bus } = this.stack;
    const found = <Entry>(entries: Map<string, Entry>, id: string) => Promise.resolve(entries.get(id) ?? null);
    await bus.serveRequests('kms', this.kms.handlers);
    await bus.serveRequests('data-plane', this.dataPlane.handlers);
    await bus.serveRequests('instances', {
      GetInstance: ({ instanceId }: { instanceId: string }) => found(this.instances, instanceId),
    });
    await bus.serveRequests('snapshots', {
      GetSnapshot: ({ snapshotId }: { snapshotId: string }) => found(this.snapshots, snapshotId),
      GetRetention: ({ tags }: { tags: Record<string, string> }) => Promise.resolve({ days: this.retention(tags) }),
      UseFastRestore: ({ snapshotId }: { snapshotId: string }) =>
        Promise.resolve({ fastRestored: this.fastRestored.has(snapshotId) }),
    });
    await bus.serveRequests('account-settings', { GetEncryptionDefaults: () => Promise.resolve(this.defaults) });
    this.kms.key('alias/aws/ebs');
    this.environment = await this.stack.environment();
    this.service = await start(this.environment);
  }

  async close(): Promise<void> {
    await this.service?.close();
    await this.stack?.close();
  }

  /** Stops the service, has `meanwhile` happen, and starts it again on its database. */
  async restart(meanwhile: () => void): Promise<void> {
    await this.service?.close();
    meanwhile();
    if (this.environment !== undefined) this.service = await start(this.environment);
  }

  /** What the instances service tells when an instance has ended. */
  async terminated(instanceId: string): Promise<void> {
    if (this.stack === undefined) throw new Error('not started');
    const source = new TestSource(this.stack.bus, 'instances');
    await source.createStream();
    await source.emit(`instance-${instanceId}`, 'InstanceTerminated', { instanceId });
  }

  /** @param hours ahead of the system's clock. */
  async turnClock(hours: number): Promise<void> {
    if (this.stack === undefined) throw new Error('not started');
    await turnClocks(this.stack.bus.connection, ['volumes'], hours * 3_600_000);
  }

  /** Before a test: nothing was asked yet, and nothing goes wrong. */
  readonly forget = (): void => {
    this.kms.take();
    this.dataPlane.calls = [];
    this.dataPlane.refuse = {};
    this.kms.afterwards = this.dataPlane.afterwards = () => undefined;
    this.defaults.encryptionByDefault = false;
    this.retention = () => null;
  };

  /** The answer to the first `action` gets lost on its way. @returns how often it was asked for. */
  readonly loseAnswerTo = (action: string): (() => number) => {
    let times = 0;
    this.kms.afterwards = this.dataPlane.afterwards = (done) => {
      if (done === action && times++ === 0) throw new Error('lost');
    };
    return () => times;
  };

  readonly call = <Output>(action: string, input: object, fields: Parameters<typeof testContext>[1] = {}) => {
    if (this.stack === undefined) throw new Error('not started');
    return this.stack.bus.request<Output>('volumes', action, input, testContext(60_000, fields));
  };

  readonly create = (input: ec2.CreateVolumeRequest = {}) => {
    const size = input.SnapshotId === undefined ? { Size: 1 } : {};
    return this.call<ec2.Volume>('CreateVolume', { AvailabilityZone: 'eu-central-1a', ...size, ...input });
  };

  readonly describeAll = (input: ec2.DescribeVolumesRequest = {}) =>
    this.call<ec2.DescribeVolumesResult>('DescribeVolumes', input);

  readonly describeOne = async (VolumeId: string) => (await this.describeAll({ VolumeIds: [VolumeId] })).Volumes?.[0];

  /** Its state, or the code of the error that asking for it is answered with. */
  readonly stateOf = (id: string) =>
    this.describeOne(id).then(
      (volume) => volume?.State as string,
      (error: AwsError) => error.code,
    );

  readonly settled = async (id = '', state = 'available') => {
    await vi.waitUntil(async () => (await this.stateOf(id)) === state, { timeout: 60_000, interval: 20 });
    return id;
  };

  readonly ready = async (input: ec2.CreateVolumeRequest = {}) => this.settled((await this.create(input)).VolumeId);

  readonly launch = (fields: Partial<InstanceRecord> = {}) => {
    const instanceId = toInstanceId(`i-${hex()}`);
    this.instances.set(instanceId, {
      instanceId,
      accountId: accountId(ACCOUNT),
      region: region('eu-central-1'),
      state: 'running',
      availabilityZone: 'eu-central-1a',
      instanceType: 't3.micro',
      hypervisor: 'nitro',
      maximumEbsAttachments: 27,
      ebsEncryptionSupported: true,
      hostId: 'host-1',
      ...fields,
    });
    return instanceId;
  };

  readonly attach = (VolumeId: string, InstanceId: string, Device = '/dev/sdf') =>
    this.call<ec2.VolumeAttachment>('AttachVolume', { VolumeId, InstanceId, Device });

  /** A snapshot of 8 GiB whose data key says whose it is. */
  readonly snapshotUnder = (keyArn: string | null, fields: Partial<SnapshotRecord> = {}): SnapshotRecord => {
    const snapshotId = toSnapshotId(`snap-${hex()}`);
    const encryptionContext = { [CONTEXT]: 'vol-0aaaaaaaaaaaaaaaa' };
    const wrapped = { keyArn, context: encryptionContext, key: `key of ${snapshotId}` };
    const encryptedDataKey = Buffer.from(JSON.stringify(wrapped)).toString('base64');
    const record: SnapshotRecord = {
      snapshotId,
      ownerId: accountId(ACCOUNT),
      state: 'completed',
      volumeSizeGiB: 8,
      dataKey:
        keyArn === null ? null : { keyArn, encryptedDataKey, encryptionContext, dataKeyId: `id of ${snapshotId}` },
      ...fields,
    };
    this.snapshots.set(snapshotId, record);
    return record;
  };
}
