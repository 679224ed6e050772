import type { ec2 } from '@holdfast/aws-protocol';
import type { AwsError, RequestContext } from '@holdfast/contracts';
import { accountId, region, volumeId as toVolumeId, type VolumeRecord, type WrappedDataKey } from '@holdfast/contracts';
import { FakeKms } from '@holdfast/ec2/testing';
import { testContext } from '@holdfast/messaging/testing';
import type { RunningService, ServiceEnvironment } from '@holdfast/service-kit';
import { startTestStack, type TestStack } from '@holdfast/service-kit/testing';
import { randomBytes } from 'node:crypto';
import { vi } from 'vitest';
import { start } from '../service.ts';

export const ACCOUNT = '111122223333';
export const ROOT = `arn:aws:iam::${ACCOUNT}:root`;
export const EC2 = 'ec2.eu-central-1.amazonaws.com';
/** Name of the one pair in EBS's encryption contexts. */
export const CONTEXT = 'aws:ebs:id';

interface Copying {
  state: 'unknown' | 'copying' | 'completed' | 'failed';
  progress: number;
  reason?: string;
}

/** The data plane's answers, and what it was asked. What it was told to begin is completed at once, unless held. */
export class FakeDataPlane {
  constructor(private readonly kms: FakeKms) {}
  readonly snapshots = new Map<string, Copying>();
  readonly copies = new Map<string, Record<string, unknown>>();
  calls: string[] = [];
  /** How far everything gets that begins now. */
  next: Copying = { state: 'completed', progress: 100 };
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
  private begin(snapshotId: string) {
    if (!this.snapshots.has(snapshotId)) this.snapshots.set(snapshotId, this.next);
    return {};
  }
  /** Where the blocks are of those that were ever moved. */
  readonly tiers = new Map<string, { blocks: boolean; archive: boolean; progress: number; failure?: string }>();
  private tier(snapshotId: string) {
    return this.tiers.get(snapshotId) ?? { blocks: true, archive: false, progress: 0 };
  }
  private move(snapshotId: string, change: object) {
    this.tiers.set(snapshotId, { ...this.tier(snapshotId), ...change });
    return {};
  }
  readonly handlers = {
    FreezeSnapshots: ({ snapshots }: { snapshots: { snapshotId: string }[] }) =>
      this.act('FreezeSnapshots', () => {
        for (const { snapshotId } of snapshots) this.begin(snapshotId);
        return {};
      }),
    ArchiveSnapshot: ({ snapshotId }: { snapshotId: string }) =>
      this.act('ArchiveSnapshot', () => this.move(snapshotId, { archive: true })),
    RestoreArchive: ({ snapshotId }: { snapshotId: string }) =>
      this.act('RestoreArchive', () => this.move(snapshotId, { blocks: true })),
    ReleaseArchive: ({ snapshotId, keep }: { snapshotId: string; keep: string }) =>
      this.act('ReleaseArchive', () =>
        this.move(snapshotId, keep === 'archive' ? { blocks: false } : { archive: false }),
      ),
    GetArchiveProgress: ({ snapshotId }: { snapshotId: string }) =>
      this.act('GetArchiveProgress', () => this.tier(snapshotId)),
    FreezeSnapshot: ({ snapshotId }: { snapshotId: string }) =>
      this.act('FreezeSnapshot', () => this.begin(snapshotId)),
    StartSnapshotCopy: (input: { snapshotId: string }) =>
      this.act('StartSnapshotCopy', () => {
        this.copies.set(input.snapshotId, input);
        return this.begin(input.snapshotId);
      }),
    StartBlockUpload: (input: { snapshotId: string }) =>
      this.act('StartBlockUpload', () => {
        this.copies.set(input.snapshotId, input);
        return {};
      }),
    CompleteBlockUpload: ({ snapshotId }: { snapshotId: string }) =>
      this.act('CompleteBlockUpload', () => this.begin(snapshotId)),
    GetSnapshotProgress: ({ snapshotId }: { snapshotId: string }) =>
      this.act('GetSnapshotProgress', () => this.snapshots.get(snapshotId) ?? { state: 'unknown', progress: 0 }),
    GetSnapshotDataKey: ({ snapshotId }: { snapshotId: string }) =>
      this.act('GetSnapshotDataKey', () => {
        const { dataKey, ownContext } = this.copies.get(snapshotId) as {
          dataKey: WrappedDataKey;
          ownContext: Record<string, string>;
        };
        const { keyArn, dataKeyId } = dataKey;
        const encryptedDataKey = this.kms.rewrapped(dataKey.encryptedDataKey, ownContext);
        return { dataKey: { keyArn, dataKeyId, encryptionContext: ownContext, encryptedDataKey } };
      }),
    RemoveSnapshot: ({ snapshotId }: { snapshotId: string }) =>
      this.act('RemoveSnapshot', () => {
        this.snapshots.delete(snapshotId);
        return {};
      }),
  };
}

const COMPLETED: Copying = { state: 'completed', progress: 100 };

/** This service on a real Postgres and nats-server, among doubles of the services that it asks. */
export class SnapshotsStack {
  readonly kms = new FakeKms();
  readonly dataPlane = new FakeDataPlane(this.kms);
  /** By account; absent: unblocked. */
  readonly publicAccess = new Map<string, string>();
  readonly defaults = { encryptionByDefault: false, defaultKmsKeyId: null as string | null };
  /** Snapshots that volumes are being made from. */
  readonly inUse = new Set<string>();
  /** By snapshot: the images that are made of it, and the owner of one that the caller may launch from. */
  readonly images = new Map<string, { imageIds: string[]; launchableFrom?: { ownerId: string } }>();
  private readonly volumes = new Map<string, VolumeRecord>();
  /** By instance. */
  readonly attachments = new Map<string, { volumeId: string; device: string; state: string }[]>();
  readonly volumeTags: { ResourceId: string; Key: string; Value: string }[] = [];
  private stack: TestStack | undefined;
  private environment: ServiceEnvironment | undefined;
  private service: RunningService | undefined;

  async start(postgresAdminUrl: string): Promise<void> {
    this.stack = await startTestStack(postgresAdminUrl);
    const { bus } = this.stack;
    await bus.serveRequests('kms', this.kms.handlers);
    await bus.serveRequests('data-plane', this.dataPlane.handlers);
    await bus.serveRequests('volumes', {
      GetVolume: ({ volumeId }: { volumeId: string }) => Promise.resolve(this.volumes.get(volumeId) ?? null),
      ListAttachments: ({ instanceIds = [] }: { instanceIds?: string[] }) =>
        Promise.resolve({ attachments: instanceIds.flatMap((id) => this.attachments.get(id) ?? []) }),
      DescribeTags: () => Promise.resolve({ Tags: this.volumeTags }),
      IsSnapshotInUse: ({ snapshotId }: { snapshotId: string }) =>
        Promise.resolve({ inUse: this.inUse.has(snapshotId) }),
    });
    await bus.serveRequests('instances', {
      GetInstance: ({ instanceId }: { instanceId: string }) =>
        Promise.resolve(this.attachments.has(instanceId) ? { instanceId } : null),
      DescribeInstanceAttribute: () => Promise.resolve({ RootDeviceName: { Value: '/dev/xvda' } }),
      ListImagesOfSnapshot: ({ snapshotId }: { snapshotId: string }) =>
        Promise.resolve({ imageIds: this.images.get(snapshotId)?.imageIds ?? [] }),
      GetLaunchableImageOwner: ({ snapshotId }: { snapshotId: string }) =>
        Promise.resolve(this.images.get(snapshotId)?.launchableFrom ?? null),
    });
    await bus.serveRequests('account-settings', {
      GetEncryptionDefaults: () => Promise.resolve(this.defaults),
      GetSnapshotBlockPublicAccessState: (_: unknown, { accountId: account }: RequestContext) =>
        Promise.resolve({ State: this.publicAccess.get(account) ?? 'unblocked' }),
      ListHiddenPublicSnapshots: ({ accounts }: { accounts: string[] }) =>
        Promise.resolve({ hiding: accounts.filter((id) => this.publicAccess.get(id) === 'block-all-sharing') }),
    });
    this.environment = await this.stack.environment();
    this.service = await start(this.environment);
  }

  async close(): Promise<void> {
    await this.service?.close();
    await this.stack?.close();
  }

  /** Stops the service and starts it again on its database, with other settings. */
  async restart(settings: Record<string, unknown>): Promise<void> {
    await this.service?.close();
    if (this.environment !== undefined) this.service = await start({ ...this.environment, settings });
  }

  /** Before a test: nothing was asked yet, nothing goes wrong, and what begins is completed at once. */
  readonly forget = (): void => {
    this.kms.take();
    this.dataPlane.calls = [];
    this.dataPlane.refuse = {};
    this.dataPlane.next = COMPLETED;
    this.kms.afterwards = this.dataPlane.afterwards = () => undefined;
    this.defaults.encryptionByDefault = false;
    this.publicAccess.clear();
  };

  /** The answer to the first `action` gets lost on its way. @returns how often it was asked for. */
  readonly loseAnswerTo = (action: string): (() => number) => {
    let times = 0;
    this.kms.afterwards = this.dataPlane.afterwards = (done) => {
      if (done === action && times++ === 0) throw new Error('lost');
    };
    return () => times;
  };

  /** The data plane reports that it is done with a snapshot. */
  readonly finish = (snapshotId: string): void => void this.dataPlane.snapshots.set(snapshotId, COMPLETED);

  readonly call = <Output>(action: string, input: object, fields: Parameters<typeof testContext>[1] = {}) => {
    if (this.stack === undefined) throw new Error('not started');
    return this.stack.bus.request<Output>('snapshots', action, input, testContext(60_000, fields));
  };

  readonly volumeUnder = (keyArn: string | null, fields: Partial<VolumeRecord> = {}): VolumeRecord => {
    const volumeId = toVolumeId(`vol-0${randomBytes(8).toString('hex')}`);
    const encryptionContext = { [CONTEXT]: volumeId };
    const wrapped = { keyArn, context: encryptionContext, key: `key of ${volumeId}` };
    const encryptedDataKey = Buffer.from(JSON.stringify(wrapped)).toString('base64');
    const record: VolumeRecord = {
      volumeId,
      accountId: accountId(ACCOUNT),
      region: region('eu-central-1'),
      state: 'in-use',
      sizeGiB: 2,
      volumeType: 'gp3',
      dataKey: keyArn === null ? null : { keyArn, encryptedDataKey, encryptionContext, dataKeyId: `id of ${volumeId}` },
      ...fields,
    };
    this.volumes.set(volumeId, record);
    return record;
  };

  readonly create = (input: Partial<ec2.CreateSnapshotRequest> = {}) =>
    this.call<ec2.Snapshot>('CreateSnapshot', { VolumeId: this.volumeUnder(null).volumeId, ...input });

  readonly copy = (input: Partial<ec2.CopySnapshotRequest>, fields = {}) =>
    this.call<ec2.CopySnapshotResult>('CopySnapshot', { SourceRegion: 'eu-central-1', ...input }, fields);

  readonly describeAll = (input: ec2.DescribeSnapshotsRequest = {}, fields = {}) =>
    this.call<ec2.DescribeSnapshotsResult>('DescribeSnapshots', input, fields);

  readonly describeOne = async (id: string, fields = {}) =>
    (await this.describeAll({ SnapshotIds: [id] }, fields)).Snapshots?.[0];

  readonly settled = async (id = '', state = 'completed', fields = {}) => {
    const isSettled = async () => (await this.describeOne(id, fields))?.State === state;
    await vi.waitUntil(isSettled, { timeout: 60_000, interval: 20 });
    return id;
  };

  readonly ready = async (keyArn: string | null = null) =>
    this.settled((await this.create({ VolumeId: this.volumeUnder(keyArn).volumeId })).SnapshotId);

  readonly gone = (id: string) =>
    vi.waitUntil(
      () =>
        this.describeOne(id).then(
          () => false,
          (error: AwsError) => error.code === 'InvalidSnapshot.NotFound',
        ),
      { timeout: 60_000, interval: 20 },
    );
}
