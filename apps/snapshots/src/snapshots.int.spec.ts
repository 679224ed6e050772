import type { ec2 } from '@holdfast/aws-protocol';
import {
  accountId,
  AwsError,
  region,
  type SnapshotRecord,
  volumeId as toVolumeId,
  type VolumeRecord,
} from '@holdfast/contracts';
import { FakeKms } from '@holdfast/ec2/testing';
import { testContext } from '@holdfast/messaging/testing';
import type { RunningService, ServiceEnvironment } from '@holdfast/service-kit';
import { startTestStack, type TestStack } from '@holdfast/service-kit/testing';
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { start } from './service.ts';

const ACCOUNT = '111122223333';
const ROOT = `arn:aws:iam::${ACCOUNT}:root`;
const EC2 = 'ec2.eu-central-1.amazonaws.com';
const CONTEXT = 'aws:ebs:id';
const INTERVAL_SECONDS = 3600;

interface Copying {
  state: 'unknown' | 'copying' | 'completed' | 'failed';
  progress: number;
  reason?: string;
}

/** The data plane's answers, and what it was asked. What it was told to begin is completed at once, unless held. */
class FakeDataPlane {
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
  readonly handlers = {
    FreezeSnapshot: ({ snapshotId }: { snapshotId: string }) =>
      this.act('FreezeSnapshot', () => this.begin(snapshotId)),
    StartSnapshotCopy: (input: { snapshotId: string }) =>
      this.act('StartSnapshotCopy', () => {
        this.copies.set(input.snapshotId, input);
        return this.begin(input.snapshotId);
      }),
    GetSnapshotProgress: ({ snapshotId }: { snapshotId: string }) =>
      this.act('GetSnapshotProgress', () => this.snapshots.get(snapshotId) ?? { state: 'unknown', progress: 0 }),
    RemoveSnapshot: ({ snapshotId }: { snapshotId: string }) =>
      this.act('RemoveSnapshot', () => {
        this.snapshots.delete(snapshotId);
        return {};
      }),
  };
}

let stack: TestStack;
let environment: ServiceEnvironment;
let service: RunningService;
const kms = new FakeKms();
const dataPlane = new FakeDataPlane();
const volumes = new Map<string, VolumeRecord>();
/** Snapshots that volumes are being made from. */
const inUse = new Set<string>();
const defaults = { encryptionByDefault: false, defaultKmsKeyId: null as string | null };

beforeAll(async () => {
  stack = await startTestStack(inject('postgresAdminUrl'));
  const { bus } = stack;
  await bus.serveRequests('kms', kms.handlers);
  await bus.serveRequests('data-plane', dataPlane.handlers);
  await bus.serveRequests('volumes', {
    GetVolume: ({ volumeId }: { volumeId: string }) => Promise.resolve(volumes.get(volumeId) ?? null),
    IsSnapshotInUse: ({ snapshotId }: { snapshotId: string }) => Promise.resolve({ inUse: inUse.has(snapshotId) }),
  });
  await bus.serveRequests('account-settings', { GetEncryptionDefaults: () => Promise.resolve(defaults) });
  environment = await stack.environment();
  service = await start(environment);
});
afterAll(async () => {
  await service.close();
  await stack.close();
});
beforeEach(() => {
  kms.take();
  dataPlane.calls = [];
});
afterEach(() => {
  kms.afterwards = dataPlane.afterwards = () => undefined;
  dataPlane.refuse = {};
  dataPlane.next = { state: 'completed', progress: 100 };
  defaults.encryptionByDefault = false;
});

const hex = () => `0${randomBytes(8).toString('hex')}`;
const call = <Output>(action: string, input: object, fields: Parameters<typeof testContext>[1] = {}) =>
  stack.bus.request<Output>('snapshots', action, input, testContext(8000, fields));
const volumeUnder = (keyArn: string | null, fields: Partial<VolumeRecord> = {}): VolumeRecord => {
  const id = toVolumeId(`vol-${hex()}`);
  const context = { [CONTEXT]: id };
  const blob = Buffer.from(JSON.stringify({ keyArn, context, key: `key of ${id}` })).toString('base64');
  const dataKey = keyArn === null ? null : { keyArn, encryptedDataKey: blob, encryptionContext: context, dataKeyId: `id of ${id}` }; // prettier-ignore
  const record: VolumeRecord = {
    volumeId: id, accountId: accountId(ACCOUNT), region: region('eu-central-1'), state: 'in-use', sizeGiB: 2, volumeType: 'gp3', dataKey, ...fields,
  }; // prettier-ignore
  volumes.set(id, record);
  return record;
};
const create = (input: Partial<ec2.CreateSnapshotRequest> = {}) =>
  call<ec2.Snapshot>('CreateSnapshot', { VolumeId: volumeUnder(null).volumeId, ...input });
const copy = (input: Partial<ec2.CopySnapshotRequest>, fields = {}) =>
  call<ec2.CopySnapshotResult>('CopySnapshot', { SourceRegion: 'eu-central-1', ...input }, fields);
const describeAll = (input: ec2.DescribeSnapshotsRequest = {}, fields = {}) =>
  call<ec2.DescribeSnapshotsResult>('DescribeSnapshots', input, fields);
const describeOne = async (id: string, fields = {}) =>
  (await describeAll({ SnapshotIds: [id] }, fields)).Snapshots?.[0];
const settled = async (id = '', state = 'completed', fields = {}) => {
  await vi.waitUntil(async () => (await describeOne(id, fields))?.State === state, { timeout: 8000, interval: 20 });
  return id;
};
const ready = async (keyArn: string | null = null) =>
  settled((await create({ VolumeId: volumeUnder(keyArn).volumeId })).SnapshotId);
const gone = (id: string) =>
  vi.waitUntil(() => describeOne(id).then(() => false, (error: AwsError) => error.code === 'InvalidSnapshot.NotFound'), { timeout: 8000, interval: 20 }); // prettier-ignore

describe('CreateSnapshot', () => {
  it('fixes the point in time before it answers, and uses no key', async () => {
    const key = kms.key();
    kms.disable(key);
    const volume = volumeUnder(key);
    const created = await create({
      VolumeId: volume.volumeId,
      Description: 'nightly',
      TagSpecifications: [{ ResourceType: 'snapshot', Tags: [{ Key: 'a', Value: '1' }] }],
    });
    expect(dataPlane.snapshots.has(created.SnapshotId ?? '')).toBe(true);
    const basics = {
      SnapshotId: expect.stringMatching(/^snap-[0-9a-f]{17}$/) as string,
      VolumeId: volume.volumeId,
      StartTime: expect.any(String) as string,
      OwnerId: ACCOUNT,
      Description: 'nightly',
      VolumeSize: 2,
      Encrypted: true,
      Tags: [{ Key: 'a', Value: '1' }],
    };
    expect(created).toEqual({ ...basics, State: 'pending', Progress: '' });
    const id = await settled(created.SnapshotId);
    expect(await describeOne(id)).toEqual({
      ...basics,
      State: 'completed',
      Progress: '100%',
      CompletionTime: expect.any(String) as string,
      KmsKeyId: key,
      DataEncryptionKeyId: volume.dataKey?.dataKeyId,
      StorageTier: 'standard',
    });
    expect(await call<SnapshotRecord>('GetSnapshot', { snapshotId: id })).toMatchObject({ dataKey: volume.dataKey });
    expect(kms.take()).toEqual([]);
  });

  it('shows how far it is', async () => {
    dataPlane.next = { state: 'copying', progress: 37 };
    const { SnapshotId = '' } = await create();
    await expect.poll(async () => (await describeOne(SnapshotId))?.Progress).toBe('37%');
    dataPlane.snapshots.set(SnapshotId, { state: 'completed', progress: 100 });
    await settled(SnapshotId);
  });

  it("ends in error with the data plane's reason", async () => {
    dataPlane.next = { state: 'failed', progress: 0, reason: 'The disk is full' };
    const id = await settled((await create()).SnapshotId, 'error');
    expect(await describeOne(id)).toMatchObject({ State: 'error', StateMessage: 'The disk is full' });
  });

  it('is frozen by the process manager when the request did not get so far', async () => {
    const volume = volumeUnder(null);
    let lost = 0;
    dataPlane.afterwards = (action) => {
      if (action === 'FreezeSnapshot' && lost++ === 0) throw new Error('lost');
    };
    await expect(create({ VolumeId: volume.volumeId })).rejects.toMatchObject({ name: 'InternalError' });
    await expect
      .poll(async () => (await describeAll({ Filters: [{ Name: 'volume-id', Values: [volume.volumeId] }] })).Snapshots)
      .toMatchObject([{ State: 'completed' }]);
  });

  it('fails inside when the host refuses, and shows it as its state', async () => {
    const { volumeId } = volumeUnder(null);
    dataPlane.refuse = { FreezeSnapshot: new AwsError({ code: 'VolumeNotFound', message: 'no such volume here' }) };
    await expect(create({ VolumeId: volumeId })).rejects.toMatchObject({ name: 'InternalError' });
    await expect
      .poll(async () => (await describeAll({ Filters: [{ Name: 'volume-id', Values: [volumeId] }] })).Snapshots)
      .toMatchObject([{ State: 'error', StateMessage: 'no such volume here' }]);
  });

  it.each<[Partial<ec2.CreateSnapshotRequest>, string, string?]>([
    [{ VolumeId: undefined }, 'MissingParameter'],
    [{ VolumeId: 'x' }, 'InvalidParameterValue'],
    [{ VolumeId: 'vol-0123456789abcdef0' }, 'InvalidVolume.NotFound'],
    [{ VolumeId: 'vol-0123456789abcdef0', DryRun: true }, 'DryRunOperation'],
    [{ Description: 'grün' }, 'InvalidParameterValue', 'Value (grün) for parameter description is invalid. Character sets beyond ASCII are not supported.'],
    [{ Description: 'x'.repeat(256) }, 'InvalidParameterValue'],
    [{ TagSpecifications: [{ ResourceType: 'volume', Tags: [{ Key: 'a' }] }] }, 'InvalidParameterValue'],
    [{ OutpostArn: 'arn' }, 'UnsupportedOperation'],
    [{ Location: 'local' }, 'UnsupportedOperation'],
    [{ VolumeId: volumeUnder(null, { state: 'creating' }).volumeId }, 'IncorrectState'],
  ])('refuses %j: %s', async (input, code, message) => {
    await expect(create(input)).rejects.toMatchObject(message === undefined ? { code } : { code, message });
  }); // prettier-ignore

  it('has at most five under way for a volume, one for a hard disk', async () => {
    dataPlane.next = { state: 'copying', progress: 1 };
    for (const [volumeType, most] of [['gp3', 5], ['st1', 1]] as const) {
      const VolumeId = volumeUnder(null, { volumeType }).volumeId;
      for (let i = 0; i < most; i++) await create({ VolumeId });
      await expect(create({ VolumeId })).rejects.toMatchObject({ code: 'ConcurrentSnapshotLimitExceeded' });
    }
    for (const id of dataPlane.snapshots.keys()) dataPlane.snapshots.set(id, { state: 'completed', progress: 100 });
  }); // prettier-ignore
});

describe('CopySnapshot', () => {
  it('checks the key as the caller, then has its own data key and reads the source under grants', async () => {
    const [from, to] = [kms.key(), kms.key('alias/to')];
    const sourceId = await ready(from);
    const source = await call<SnapshotRecord>('GetSnapshot', { snapshotId: sourceId });
    dataPlane.next = { state: 'copying', progress: 50 };
    const { SnapshotId = '' } = await copy({ SourceSnapshotId: sourceId, KmsKeyId: 'alias/to', Description: 'copy' });
    await vi.waitUntil(() => dataPlane.copies.has(SnapshotId));
    const forwarded = { principal: ROOT, viaService: EC2, region: 'eu-central-1' };
    const grant = (KeyId: string, context: object, purpose: string) => ({
      action: 'CreateGrant',
      input: {
        KeyId,
        GranteePrincipal: EC2,
        RetiringPrincipal: EC2,
        Operations: ['Decrypt'],
        Constraints: { EncryptionContextEquals: context },
        Name: `ebs-copy-${SnapshotId}-${purpose}`,
      },
      ...forwarded,
    });
    const own = { [CONTEXT]: SnapshotId };
    expect(kms.calls).toEqual([
      { action: 'DescribeKey', input: { KeyId: 'alias/to' }, ...forwarded },
      {
        action: 'GenerateDataKeyWithoutPlaintext',
        input: { KeyId: to, NumberOfBytes: 64, EncryptionContext: own },
        ...forwarded,
      },
      grant(to, own, 'destination'),
      grant(from, source.dataKey?.encryptionContext ?? {}, 'source'),
    ]);
    expect(kms.grants.size).toBe(2);
    expect(dataPlane.copies.get(SnapshotId)).toMatchObject({
      source: { snapshotId: sourceId, dataKey: { ...source.dataKey, principal: { arn: EC2 } } },
      dataKey: { keyArn: to, encryptionContext: own, principal: { arn: EC2 } },
    });
    dataPlane.snapshots.set(SnapshotId, { state: 'completed', progress: 100 });
    await settled(SnapshotId);
    expect(kms.grants.size).toBe(0);
    expect(await describeOne(SnapshotId)).toMatchObject({
      VolumeId: 'vol-ffffffff',
      VolumeSize: 2,
      Description: 'copy',
      Encrypted: true,
      KmsKeyId: to,
      TransferType: 'standard',
    });
  });

  it('uses no key when neither side has one', async () => {
    const { SnapshotId } = await copy({ SourceSnapshotId: await ready() });
    await settled(SnapshotId);
    expect(kms.take()).toEqual([]);
  });

  it('goes to another Region under a key of that Region', async () => {
    const from = kms.key();
    const to = kms.key(undefined, 'us-east-1');
    const sourceId = await ready(from);
    const there = { region: region('us-east-1') };
    const { SnapshotId = '' } = await copy(
      { SourceSnapshotId: sourceId, KmsKeyId: to, DestinationRegion: 'us-east-1' },
      there,
    );
    await settled(SnapshotId, 'completed', there);
    const grants = kms.calls.filter(({ action }) => action === 'CreateGrant');
    expect(grants.map(({ region: where, viaService, input }) => [where, viaService, input['KeyId']])).toEqual([
      ['us-east-1', 'ec2.us-east-1.amazonaws.com', to],
      ['eu-central-1', EC2, from],
    ]);
    expect(kms.grants.size).toBe(0);
    expect((await describeAll({}, there)).Snapshots).toHaveLength(1);
    await expect(describeOne(SnapshotId)).rejects.toMatchObject({ code: 'InvalidSnapshot.NotFound' });
  });

  it('fails later for a source that is absent, not completed, or in another Region', async () => {
    dataPlane.next = { state: 'copying', progress: 0 };
    const { SnapshotId: pending } = await create();
    const cases: [Partial<ec2.CopySnapshotRequest>, string][] = [
      [{ SourceSnapshotId: 'snap-0123456789abcdef0' }, 'Source snapshot is not found'],
      [{ SourceSnapshotId: pending, SourceRegion: 'us-east-1' }, 'Source snapshot is not found'],
      [{ SourceSnapshotId: pending }, 'Source snapshot is not complete'],
    ];
    for (const [input, StateMessage] of cases) {
      const { SnapshotId } = await copy(input);
      expect(await describeOne(await settled(SnapshotId, 'error'))).toMatchObject({ State: 'error', StateMessage });
    }
    dataPlane.snapshots.set(pending ?? '', { state: 'completed', progress: 100 });
  });

  it("fails later for a source whose key can't be used, and leaves no grant", async () => {
    const [from, to] = [kms.key(), kms.key()];
    const sourceId = await ready(from);
    kms.disable(from);
    const { SnapshotId } = await copy({ SourceSnapshotId: sourceId, KmsKeyId: to });
    const id = await settled(SnapshotId, 'error');
    expect(await describeOne(id)).toMatchObject({ StateMessage: 'Given key ID is not accessible' });
    await expect.poll(() => kms.grants.size).toBe(0);
    await expect.poll(() => dataPlane.calls).toContain('RemoveSnapshot');
  });

  it.each([
    'GenerateDataKeyWithoutPlaintext',
    'CreateGrant',
    'StartSnapshotCopy',
    'RetireGrant',
    'GetSnapshotProgress',
  ])('comes to the same when the answer to %s is lost', async (lost) => {
    const [from, to] = [kms.key(), kms.key()];
    const sourceId = await ready(from);
    let times = 0;
    kms.afterwards = dataPlane.afterwards = (action) => {
      if (action === lost && times++ === 0) throw new Error('lost');
    };
    const { SnapshotId = '' } = await copy({ SourceSnapshotId: sourceId, KmsKeyId: to });
    await settled(SnapshotId);
    expect(times).toBeGreaterThan(0);
    expect(kms.grants.size).toBe(0);
    const { dataKey } = await call<SnapshotRecord>('GetSnapshot', { snapshotId: SnapshotId });
    expect(dataPlane.copies.get(SnapshotId)).toMatchObject({
      dataKey: { encryptedDataKey: dataKey?.encryptedDataKey },
    });
  });

  it.each<[string, () => Promise<Partial<ec2.CopySnapshotRequest>>, string, string?]>([
    ['no source', async () => Promise.resolve({}), 'MissingParameter', 'The request must contain the parameter SourceSnapshotId'],
    ['a malformed source', async () => Promise.resolve({ SourceSnapshotId: 'x' }), 'InvalidParameterValue', 'The specified snapshotId is invalid'],
    ['an unknown Region', async () => ({ SourceSnapshotId: await ready(), SourceRegion: 'eu-nowhere-1' }), 'InvalidRegion', 'eu-nowhere-1 is not a valid region name.'],
    ['another destination', async () => ({ SourceSnapshotId: await ready(), DestinationRegion: 'us-east-1' }), 'InvalidParameterValue', "DestinationRegion 'us-east-1' does not match the current region (eu-central-1)"],
    ['a wrong duration', async () => ({ SourceSnapshotId: await ready(), CompletionDurationMinutes: 20 }), 'InvalidParameterValue', "'20' is not a valid value for completion duration. Specify a value between 15 and 2880 minutes, in 15 minute increments only"],
    ['a duration', async () => ({ SourceSnapshotId: await ready(), CompletionDurationMinutes: 30 }), 'UnsupportedOperation'],
    ['a presigned URL of something else', async () => ({ SourceSnapshotId: await ready(), PresignedUrl: 'https://ec2/?Action=CopySnapshot' }), 'InvalidParameterValue'],
    ['an absent key', async () => ({ SourceSnapshotId: await ready(), KmsKeyId: 'alias/none' }), 'InvalidParameterValue', 'The specified keyId alias/none is invalid'],
    ['a dry run', async () => ({ SourceSnapshotId: await ready(), KmsKeyId: 'alias/none', DryRun: true }), 'DryRunOperation'],
  ])('refuses %s', async (_name, input, code, message) => {
    await expect(copy(await input())).rejects.toMatchObject(message === undefined ? { code } : { code, message });
  }); // prettier-ignore

  it('refuses a disabled key at once', async () => {
    const key = kms.key();
    kms.disable(key);
    await expect(copy({ SourceSnapshotId: await ready(), KmsKeyId: key })).rejects.toMatchObject({
      code: 'InvalidParameterValue',
      message: `The specified keyId ${key} is disabled`,
    });
  });

  it('takes the presigned URL that official clients send', async () => {
    const SourceSnapshotId = await ready();
    const query = `Action=CopySnapshot&SourceSnapshotId=${SourceSnapshotId}&DestinationRegion=eu-central-1&X-Amz-Signature=0`;
    await settled(
      (await copy({ SourceSnapshotId, PresignedUrl: `https://ec2.eu-central-1.amazonaws.com/?${query}` })).SnapshotId,
    );
  });
});

describe('DeleteSnapshot', () => {
  it('takes a completed one away', async () => {
    const id = await ready();
    await call('DeleteSnapshot', { SnapshotId: id });
    await expect(describeOne(id)).rejects.toMatchObject({
      code: 'InvalidSnapshot.NotFound',
      message: `The snapshot '${id}' does not exist.`,
    });
    await expect(call('DeleteSnapshot', { SnapshotId: id })).rejects.toMatchObject({
      code: 'InvalidSnapshot.NotFound',
    });
    await expect.poll(() => dataPlane.snapshots.has(id)).toBe(false);
  });

  it('keeps the blocks until the volumes and copies that were asked for before are made', async () => {
    const id = await ready();
    dataPlane.next = { state: 'copying', progress: 10 };
    const { SnapshotId: copyId = '' } = await copy({ SourceSnapshotId: id });
    inUse.add(id);
    await call('DeleteSnapshot', { SnapshotId: id });
    await gone(id);
    dataPlane.snapshots.set(copyId, { state: 'completed', progress: 100 });
    await settled(copyId);
    expect(dataPlane.snapshots.has(id)).toBe(true);
    inUse.delete(id);
    await expect.poll(() => dataPlane.snapshots.has(id), { timeout: 5000 }).toBe(false);
  });

  it('takes a pending one away when it is completed', async () => {
    dataPlane.next = { state: 'copying', progress: 10 };
    const { SnapshotId = '' } = await create();
    await call('DeleteSnapshot', { SnapshotId });
    expect(await describeOne(SnapshotId)).toMatchObject({ State: 'pending' });
    dataPlane.snapshots.set(SnapshotId, { state: 'completed', progress: 100 });
    await gone(SnapshotId);
    await expect.poll(() => dataPlane.snapshots.has(SnapshotId)).toBe(false);
  });

  it.each([
    [{}, 'MissingParameter'],
    [{ SnapshotId: 'x' }, 'InvalidParameterValue'],
    [{ SnapshotId: 'snap-0123456789abcdef0' }, 'InvalidSnapshot.NotFound'],
  ])('refuses %j: %s', async (input, code) => {
    await expect(call('DeleteSnapshot', input)).rejects.toMatchObject({ code });
  });
});

describe('DescribeSnapshots', () => {
  const there = { region: region('eu-west-1') };
  const ids: Record<string, string> = {};
  beforeAll(async () => {
    const at = (input: object) => call<ec2.Snapshot>('CreateSnapshot', input, there);
    const tags = [{ ResourceType: 'snapshot', Tags: [{ Key: 'Name', Value: 'x' }] }];
    const a = await at({ VolumeId: volumeUnder(kms.key()).volumeId, Description: 'nightly' });
    const b = await at({ VolumeId: volumeUnder(null).volumeId, TagSpecifications: tags });
    ids['a'] = await settled(a.SnapshotId, 'completed', there);
    ids['b'] = await settled(b.SnapshotId, 'completed', there);
    const c = await call<ec2.CopySnapshotResult>('CopySnapshot', { SourceSnapshotId: ids['b'], SourceRegion: 'eu-west-1' }, there); // prettier-ignore
    ids['c'] = await settled(c.SnapshotId, 'completed', there);
  });
  const names = async (input: ec2.DescribeSnapshotsRequest) => {
    const { Snapshots = [] } = await describeAll(input, there);
    return Snapshots.map(({ SnapshotId }) => Object.keys(ids).find((name) => ids[name] === SnapshotId)).join('');
  };
  it.each<[string, string[], string]>([
    ['description', ['night*'], 'a'],
    ['encrypted', ['true'], 'a'],
    ['owner-id', [ACCOUNT], 'abc'],
    ['owner-alias', ['*'], ''],
    ['progress', ['100%'], 'abc'],
    ['status', ['completed'], 'abc'],
    ['status', ['pending'], ''],
    ['start-time', ['20*'], 'abc'],
    ['storage-tier', ['standard'], 'abc'],
    ['transfer-type', ['standard'], 'c'],
    ['volume-id', ['vol-ffffffff'], 'c'],
    ['volume-size', ['2'], 'abc'],
    ['tag:Name', ['x'], 'b'],
    ['tag-key', ['Name'], 'b'],
  ])('filters by %s=%j: %s', async (Name, Values, expected) => {
    expect(await names({ Filters: [{ Name, Values }] })).toBe(expected);
  });
  it.each<[ec2.DescribeSnapshotsRequest, string]>([
    [{}, 'abc'],
    [{ OwnerIds: ['self'] }, 'abc'],
    [{ OwnerIds: [ACCOUNT, '444455556666'] }, 'abc'],
    [{ OwnerIds: ['444455556666'] }, ''],
    [{ OwnerIds: ['amazon'] }, ''],
    [{ RestorableByUserIds: ['self'] }, 'abc'],
    [{ RestorableByUserIds: ['all'] }, ''],
  ])('shows %j: %s', async (input, expected) => {
    expect(await names(input)).toBe(expected);
  });
  it.each<[ec2.DescribeSnapshotsRequest, string]>([
    [{ SnapshotIds: ['x'] }, 'InvalidParameterValue'],
    [{ SnapshotIds: ['snap-0123456789abcdef0'] }, 'InvalidSnapshot.NotFound'],
    [{ SnapshotIds: ['snap-0123456789abcdef0'], MaxResults: 5 }, 'InvalidParameterCombination'],
    [{ OwnerIds: ['me'] }, 'InvalidUserID.Malformed'],
    [{ Filters: [{ Name: 'kms-key-id', Values: ['x'] }] }, 'InvalidParameterValue'],
    [{ NextToken: 'x' }, 'InvalidParameterValue'],
    [{ DryRun: true }, 'DryRunOperation'],
  ])('refuses %j: %s', async (input, code) => {
    await expect(describeAll(input, there)).rejects.toMatchObject({ code });
  });
  it('shows nothing to another account', async () => {
    const other = { ...there, accountId: accountId('444455556666') };
    expect((await describeAll({}, other)).Snapshots).toEqual([]);
    await expect(describeOne(ids['a'] ?? '', other)).rejects.toMatchObject({ code: 'InvalidSnapshot.NotFound' });
    await expect(call('DeleteSnapshot', { SnapshotId: ids['a'] }, other)).rejects.toMatchObject({ code: 'InvalidSnapshot.NotFound' }); // prettier-ignore
    expect(await call('GetSnapshot', { snapshotId: ids['a'] }, other)).toBeNull();
  });
  it('comes page by page', async () => {
    const where = { region: region('eu-west-2') };
    for (let i = 0; i < 7; i++) await call('CreateSnapshot', { VolumeId: volumeUnder(null).volumeId }, where);
    const first = await describeAll({ MaxResults: 5 }, where);
    const second = await describeAll({ MaxResults: 5, NextToken: first.NextToken }, where);
    expect(second.NextToken).toBeUndefined();
    const seen = [...(first.Snapshots ?? []), ...(second.Snapshots ?? [])].map(({ SnapshotId }) => SnapshotId);
    expect(new Set(seen).size).toBe(7);
  });
  it('shows tags that were put on later', async () => {
    const id = ids['a'] ?? '';
    await call('CreateTags', { Resources: [id], Tags: [{ Key: 'k', Value: 'v' }] }, there);
    expect((await describeOne(id, there))?.Tags).toEqual([{ Key: 'k', Value: 'v' }]);
    const tags = await call('DescribeTags', { Filters: [{ Name: 'key', Values: ['k'] }] }, there);
    expect(tags).toEqual({ Tags: [{ Key: 'k', Value: 'v', ResourceId: id, ResourceType: 'snapshot' }] });
    await call('DeleteTags', { Resources: [id] }, there);
    expect((await describeOne(id, there))?.Tags).toEqual([]);
  });
});

describe('the rate of snapshots of one volume', () => {
  it('is limited where the settings say so', async () => {
    await service.close();
    service = await start({ ...environment, settings: { snapshotIntervalSeconds: INTERVAL_SECONDS } });
    const VolumeId = volumeUnder(null).volumeId;
    await create({ VolumeId });
    await expect(create({ VolumeId })).rejects.toMatchObject({
      code: 'SnapshotCreationPerVolumeRateExceeded',
      message:
        'The maximum per volume CreateSnapshot request rate has been exceeded. Use an increasing or variable sleep interval between requests.',
    });
    await create();
  });
  it('is a setting of this service, like no other', async () => {
    await expect(start({ ...environment, settings: { snapshotInterval: 1 } })).rejects.toThrow();
  });
});
