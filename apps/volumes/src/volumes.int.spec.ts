import type { ec2 } from '@holdfast/aws-protocol';
import {
  accountId,
  AwsError,
  type HostAttachment,
  type InstanceRecord,
  instanceId as toInstanceId,
  region,
  type SnapshotRecord,
  snapshotId as toSnapshotId,
  volumeId as toVolumeId,
  type VolumeRecord,
} from '@holdfast/contracts';
import { FakeKms } from '@holdfast/ec2/testing';
import { testContext } from '@holdfast/messaging/testing';
import type { RunningService, ServiceEnvironment } from '@holdfast/service-kit';
import { startTestStack, type TestStack } from '@holdfast/service-kit/testing';
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { start } from './service.ts';

const ACCOUNT = '111122223333';
const ROOT = `arn:aws:iam::${ACCOUNT}:root`;
const EC2 = 'ec2.eu-central-1.amazonaws.com';
const CONTEXT = 'aws:ebs:id';

/** The data plane's answers, and what it was asked. A volume that it made can be looked at. */
class FakeDataPlane {
  readonly allocated = new Map<string, Record<string, unknown>>();
  readonly exports = new Map<string, HostAttachment>();
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
    RemoveVolume: ({ volumeId }: { volumeId: string }) =>
      this.act('RemoveVolume', () => {
        this.allocated.delete(volumeId);
        return {};
      }),
    OpenExport: (input: HostAttachment) =>
      this.act('OpenExport', () => {
        this.exports.set(input.volumeId, input);
        return { socketPath: '/socket' };
      }),
    CloseExport: ({ volumeId }: { volumeId: string }) =>
      this.act('CloseExport', () => {
        this.exports.delete(volumeId);
        return {};
      }),
  };
}

let stack: TestStack;
let environment: ServiceEnvironment;
let service: RunningService;
const kms = new FakeKms();
const dataPlane = new FakeDataPlane();
const instances = new Map<string, InstanceRecord>();
const snapshots = new Map<string, SnapshotRecord>();
const defaults = { encryptionByDefault: false, defaultKmsKeyId: null as string | null };

beforeAll(async () => {
  stack = await startTestStack(inject('postgresAdminUrl'));
  const { bus } = stack;
  await bus.serveRequests('kms', kms.handlers);
  await bus.serveRequests('data-plane', dataPlane.handlers);
  await bus.serveRequests('instances', {
    GetInstance: ({ instanceId }: { instanceId: string }) => Promise.resolve(instances.get(instanceId) ?? null),
  });
  await bus.serveRequests('snapshots', {
    GetSnapshot: ({ snapshotId }: { snapshotId: string }) => Promise.resolve(snapshots.get(snapshotId) ?? null),
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
  kms.key('alias/aws/ebs');
  kms.take();
  dataPlane.calls = [];
});
afterEach(() => {
  kms.afterwards = dataPlane.afterwards = () => undefined;
  dataPlane.refuse = {};
  defaults.encryptionByDefault = false;
});

const hex = () => `0${randomBytes(8).toString('hex')}`;
const call = <Output>(action: string, input: object, fields: Parameters<typeof testContext>[1] = {}) =>
  stack.bus.request<Output>('volumes', action, input, testContext(8000, fields));
const create = (input: ec2.CreateVolumeRequest = {}) =>
  call<ec2.Volume>('CreateVolume', {
    AvailabilityZone: 'eu-central-1a',
    ...(input.SnapshotId ? {} : { Size: 1 }),
    ...input,
  });
const describeAll = (input: ec2.DescribeVolumesRequest = {}) =>
  call<ec2.DescribeVolumesResult>('DescribeVolumes', input);
const describeOne = async (VolumeId: string) => (await describeAll({ VolumeIds: [VolumeId] })).Volumes?.[0];
const stateOf = (id: string) =>
  describeOne(id).then(
    (volume) => volume?.State as string,
    (error: AwsError) => error.code,
  );
const settled = async (id: string, state = 'available', timeout = 8000) => {
  await expect.poll(() => stateOf(id), { timeout, interval: 20 }).toBe(state);
  return id;
};
const ready = async (input: ec2.CreateVolumeRequest = {}) => settled((await create(input)).VolumeId ?? '');
const launch = (fields: Partial<InstanceRecord> = {}) => {
  const instanceId = toInstanceId(`i-${hex()}`);
  instances.set(instanceId, {
    instanceId,
    accountId: accountId(ACCOUNT),
    region: region('eu-central-1'),
    state: 'running',
    availabilityZone: 'eu-central-1a',
    instanceType: 't3.micro',
    ebsEncryptionSupported: true,
    hostId: 'host-1',
    ...fields,
  });
  return instanceId;
};
const attach = (VolumeId: string, InstanceId: string, Device = '/dev/sdf') =>
  call<ec2.VolumeAttachment>('AttachVolume', { VolumeId, InstanceId, Device });
const snapshotUnder = (keyArn: string | null, fields: Partial<SnapshotRecord> = {}): SnapshotRecord => {
  const id = toSnapshotId(`snap-${hex()}`);
  const context = { [CONTEXT]: 'vol-0aaaaaaaaaaaaaaaa' };
  const blob = Buffer.from(JSON.stringify({ keyArn, context, key: `key of ${id}` })).toString('base64');
  const dataKey = keyArn && { keyArn, encryptedDataKey: blob, encryptionContext: context, dataKeyId: `id of ${id}` };
  const record: SnapshotRecord = {
    snapshotId: id, ownerId: accountId(ACCOUNT), state: 'completed', volumeSizeGiB: 8, dataKey: dataKey || null, ...fields,
  }; // prettier-ignore
  snapshots.set(id, record);
  return record;
};

describe('CreateVolume', () => {
  it('answers creating at once, and the volume is available soon after', async () => {
    const created = await create({ TagSpecifications: [{ ResourceType: 'volume', Tags: [{ Key: 'a', Value: '1' }] }] });
    const basics = {
      VolumeId: expect.stringMatching(/^vol-[0-9a-f]{17}$/) as string,
      Size: 1,
      SnapshotId: '',
      AvailabilityZone: 'eu-central-1a',
      AvailabilityZoneId: 'euc1-az1',
      CreateTime: expect.stringMatching(/:\d\d\.000Z$/) as string,
      VolumeType: 'gp2',
      Iops: 100,
      Encrypted: false,
      Tags: [{ Key: 'a', Value: '1' }],
      MultiAttachEnabled: false,
    };
    expect(created).toEqual({ ...basics, State: 'creating' });
    const id = await settled(created.VolumeId ?? '');
    expect(await describeOne(id)).toEqual({
      ...basics,
      VolumeId: id,
      State: 'available',
      Attachments: [],
      OwnerId: ACCOUNT,
      VolumeArn: `arn:aws:ec2:eu-central-1:${ACCOUNT}:volume/${id}`,
      Operator: { Managed: false, HiddenByDefault: false },
    });
    expect(kms.take()).toEqual([]);
  });

  it('has the data key of an encrypted volume made and granted as the caller, and takes the grant back', async () => {
    const key = kms.key('alias/mine');
    const created = await create({ Encrypted: true, KmsKeyId: 'alias/mine' });
    expect(created).toMatchObject({ Encrypted: true, KmsKeyId: 'alias/mine' });
    const id = await settled(created.VolumeId ?? '');
    expect(await describeOne(id)).toMatchObject({ Encrypted: true, KmsKeyId: key });
    const forwarded = { principal: ROOT, viaService: EC2, region: 'eu-central-1' };
    expect(kms.calls).toEqual([
      {
        action: 'GenerateDataKeyWithoutPlaintext',
        input: { KeyId: 'alias/mine', NumberOfBytes: 64, EncryptionContext: { [CONTEXT]: id } },
        ...forwarded,
      },
      {
        action: 'CreateGrant',
        input: {
          KeyId: key,
          GranteePrincipal: EC2,
          RetiringPrincipal: EC2,
          Operations: ['Decrypt'],
          Constraints: { EncryptionContextSubset: { [CONTEXT]: id } },
          Name: `ebs-create-${id}`,
        },
        ...forwarded,
      },
      {
        action: 'RetireGrant',
        input: { KeyId: key, GrantId: expect.any(String) as string },
        ...forwarded,
        principal: EC2,
      },
    ]);
    expect(kms.grantsOf(key)).toEqual([]);
    const record = await call<VolumeRecord>('GetVolume', { volumeId: id });
    expect(dataPlane.allocated.get(id)).toMatchObject({ dataKey: { ...record.dataKey, principal: { arn: EC2 } } });
  });

  it('leaves the key out of the answer when it is the default one', async () => {
    defaults.encryptionByDefault = true;
    const created = await create();
    expect(created.Encrypted).toBe(true);
    expect(created).not.toHaveProperty('KmsKeyId');
    await settled(created.VolumeId ?? '');
  });

  it('goes on with the data key of an own snapshot under the same key, whatever the key is called', async () => {
    const key = kms.key('alias/same');
    const snapshot = snapshotUnder(key);
    for (const input of [{}, { Encrypted: true, KmsKeyId: 'alias/same' }]) {
      kms.take();
      const id = await ready({ SnapshotId: snapshot.snapshotId, ...input });
      expect(kms.take()).toEqual(['ReEncrypt']);
      const { dataKey } = await call<VolumeRecord>('GetVolume', { volumeId: id });
      expect(dataKey).toMatchObject({
        keyArn: key,
        dataKeyId: snapshot.dataKey?.dataKeyId,
        encryptionContext: { [CONTEXT]: id },
      });
      expect(kms.dataKeyOf(dataKey?.encryptedDataKey ?? '')).toBe(`key of ${snapshot.snapshotId}`);
      expect(await describeOne(id)).toMatchObject({ Size: 8, SnapshotId: snapshot.snapshotId, KmsKeyId: key });
    }
  });

  it('re-encrypts a snapshot under another key', async () => {
    const [from, to] = [kms.key(), kms.key()];
    const snapshot = snapshotUnder(from);
    const id = await ready({ SnapshotId: snapshot.snapshotId, Encrypted: true, KmsKeyId: to });
    expect(kms.take()).toEqual(['ReEncrypt', 'GenerateDataKeyWithoutPlaintext', 'CreateGrant', 'RetireGrant']);
    const { dataKey } = await call<VolumeRecord>('GetVolume', { volumeId: id });
    expect(dataKey?.dataKeyId).not.toBe(snapshot.dataKey?.dataKeyId);
    expect(dataPlane.allocated.get(id)).toMatchObject({
      dataKey: { keyArn: to, encryptionContext: { [CONTEXT]: id } },
      source: {
        snapshotId: snapshot.snapshotId,
        dataKey: { keyArn: to, encryptionContext: { [CONTEXT]: id }, dataKeyId: snapshot.dataKey?.dataKeyId },
      },
    });
  });

  it('never reuses the data key of a snapshot that another account owns', async () => {
    const key = kms.key();
    const snapshot = snapshotUnder(key, { ownerId: accountId('444455556666') });
    const id = await ready({ SnapshotId: snapshot.snapshotId, Encrypted: true, KmsKeyId: key });
    const { dataKey } = await call<VolumeRecord>('GetVolume', { volumeId: id });
    expect(dataKey?.dataKeyId).not.toBe(snapshot.dataKey?.dataKeyId);
  });

  it('lets a volume under a bad key vanish without a trace, and burns its token', async () => {
    const disabled = kms.key();
    kms.disable(disabled);
    for (const KmsKeyId of ['alias/none', disabled]) {
      const ClientToken = randomBytes(8).toString('hex');
      const { VolumeId = '', State, ...created } = await create({ Encrypted: true, KmsKeyId, ClientToken });
      expect({ State, KmsKeyId: created.KmsKeyId }).toEqual({ State: 'creating', KmsKeyId });
      await settled(VolumeId, 'InvalidVolume.NotFound');
      await expect.poll(() => dataPlane.calls).toContain('RemoveVolume');
      await expect(create({ Encrypted: true, KmsKeyId, ClientToken })).rejects.toMatchObject({
        code: 'IdempotentParameterMismatch',
        message: `The client token '${ClientToken}' is associated with resource '${VolumeId}' which has already been deleted. Please use a different client token.`,
      });
    }
  });

  it('takes the grant back when the data plane cannot use the key', async () => {
    const key = kms.key();
    dataPlane.refuse = { AllocateVolume: new AwsError({ code: 'KmsKeyUnusable', message: `${key} is disabled.` }) };
    const { VolumeId = '' } = await create({ Encrypted: true, KmsKeyId: key });
    await settled(VolumeId, 'InvalidVolume.NotFound');
    await expect.poll(() => kms.grantsOf(key)).toEqual([]);
  });

  it('waits while the data plane is at it', async () => {
    dataPlane.refuse = { AllocateVolume: new AwsError({ code: 'InProgress', message: 'still at it' }) };
    const { snapshotId } = snapshotUnder(null);
    const { VolumeId = '' } = await create({ SnapshotId: snapshotId });
    await expect.poll(() => dataPlane.calls.filter((action) => action === 'AllocateVolume').length).toBeGreaterThan(2);
    expect(await stateOf(VolumeId)).toBe('creating');
    expect(await call('IsSnapshotInUse', { snapshotId })).toEqual({ inUse: true });
    dataPlane.refuse = {};
    await settled(VolumeId);
    expect(await call('IsSnapshotInUse', { snapshotId })).toEqual({ inUse: false });
  });

  it.each(['GenerateDataKeyWithoutPlaintext', 'CreateGrant', 'AllocateVolume', 'RetireGrant'])(
    'comes to the same when the answer to %s is lost',
    async (lost) => {
      const key = kms.key();
      let times = 0;
      kms.afterwards = dataPlane.afterwards = (action) => {
        if (action === lost && times++ === 0) throw new Error('lost');
      };
      const id = await ready({ Encrypted: true, KmsKeyId: key });
      expect(times).toBeGreaterThan(0);
      expect(kms.grantsOf(key)).toEqual([]);
      const { dataKey } = await call<VolumeRecord>('GetVolume', { volumeId: id });
      expect(dataPlane.allocated.get(id)).toMatchObject({ dataKey: { encryptedDataKey: dataKey?.encryptedDataKey } });
    },
  );

  it('is finished by the next process when this one stops in the middle', async () => {
    const key = kms.key();
    dataPlane.refuse = { AllocateVolume: new AwsError({ code: 'InProgress', message: 'still at it' }) };
    const { VolumeId = '' } = await create({ Encrypted: true, KmsKeyId: key });
    await expect.poll(() => dataPlane.calls).toContain('AllocateVolume');
    await service.close();
    dataPlane.refuse = {};
    service = await start(environment);
    // The broker may take the event for being handled until its acknowledgement is due, 5 s later.
    await settled(VolumeId, 'available', 20_000);
    expect(kms.take()).toEqual(['GenerateDataKeyWithoutPlaintext', 'CreateGrant', 'RetireGrant']);
  });

  it('takes back a grant whose id was never noted, when the key then fails', async () => {
    const key = kms.key();
    kms.afterwards = (action) => {
      if (action !== 'CreateGrant') return;
      kms.disable(key);
      throw new Error('lost');
    };
    const { VolumeId = '' } = await create({ Encrypted: true, KmsKeyId: key });
    await settled(VolumeId, 'InvalidVolume.NotFound');
    await expect.poll(() => kms.grantsOf(key)).toEqual([]);
  });
});

describe('a client token', () => {
  it('answers a repetition as the first request', async () => {
    const first = await create({ ClientToken: 'once', Throughput: 125, VolumeType: 'gp3' });
    await settled(first.VolumeId ?? '');
    const same = {
      ClientToken: 'once',
      VolumeType: 'GP3',
      AvailabilityZone: undefined,
      AvailabilityZoneId: 'euc1-az1',
    };
    expect(await create(same as ec2.CreateVolumeRequest)).toEqual(first);
    await expect(create({ ClientToken: 'once', Size: 2 })).rejects.toMatchObject({
      code: 'IdempotentParameterMismatch',
      message: 'Parameters on this idempotent request are inconsistent with parameters used in previous request(s).',
    });
  });
  it('makes one volume of many requests at once', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => create({ ClientToken: 'race' })));
    expect(new Set(all.map(({ VolumeId }) => VolumeId)).size).toBe(1);
  });
  it('is another one in another Region or account', async () => {
    const here = await create({ ClientToken: 'mine' });
    const elsewhere = await call<ec2.Volume>(
      'CreateVolume',
      { AvailabilityZone: 'eu-central-1a', Size: 1, ClientToken: 'mine' },
      { accountId: accountId('777788889999') },
    );
    expect(elsewhere.VolumeId).not.toBe(here.VolumeId);
  });
});

describe('refusals of CreateVolume', () => {
  const pending = snapshotUnder(null, { state: 'pending' });
  const encrypted = snapshotUnder('arn:aws:kms:eu-central-1:111122223333:key/x');
  const zoned = { AvailabilityZone: 'eu-central-1a' };
  it.each<[ec2.CreateVolumeRequest, string]>([
    [{}, 'MissingParameter'],
    [{ Size: 1 }, 'MissingParameter'],
    [{ ...zoned, AvailabilityZoneId: 'euc1-az1', Size: 1 }, 'InvalidParameterCombination'],
    [{ AvailabilityZone: 'us-east-1a', Size: 1 }, 'InvalidZone.NotFound'],
    [{ ...zoned, Size: 1, VolumeType: 'gp9' }, 'UnknownVolumeType'],
    [{ ...zoned, SnapshotId: 'snap-1' }, 'InvalidParameterValue'],
    [{ ...zoned, SnapshotId: 'snap-0123456789abcdef0' }, 'InvalidSnapshot.NotFound'],
    [{ ...zoned, SnapshotId: pending.snapshotId }, 'IncorrectState'],
    [{ ...zoned, SnapshotId: encrypted.snapshotId, Encrypted: false }, 'InvalidParameterCombination'],
    [{ ...zoned, Size: 1, KmsKeyId: 'k' }, 'InvalidParameterDependency'],
    [{ ...zoned, Size: 1, MultiAttachEnabled: true }, 'InvalidParameterCombination'],
    [{ ...zoned, Size: 4, Iops: 100, VolumeType: 'io2', MultiAttachEnabled: true }, 'UnsupportedOperation'],
    [{ ...zoned, Size: 1, OutpostArn: 'arn' }, 'UnsupportedOperation'],
    [{ ...zoned, Size: 1, Operator: { Principal: 'x' } }, 'UnsupportedOperation'],
    [{ ...zoned, Size: 1, VolumeInitializationRate: 100 }, 'InvalidParameterCombination'],
    [{ ...zoned, SnapshotId: encrypted.snapshotId, VolumeInitializationRate: 100 }, 'UnsupportedOperation'],
    [{ ...zoned, Size: 1, ClientToken: 'x'.repeat(65) }, 'InvalidParameterValue'],
    // A dry run tells of limits and zones, and nothing of what is checked after it.
    [{ ...zoned, Size: 1, DryRun: true }, 'DryRunOperation'],
    [{ ...zoned, Size: 1, KmsKeyId: 'k', DryRun: true }, 'DryRunOperation'],
    [{ ...zoned, SnapshotId: pending.snapshotId, DryRun: true }, 'DryRunOperation'],
    [{ ...zoned, Size: 1, VolumeType: 'gp3', Iops: 200_000, DryRun: true }, 'InvalidParameterValue'],
  ])('%j: %s', async (input, code) => {
    await expect(call('CreateVolume', input)).rejects.toMatchObject({ code });
  });
});

describe('AttachVolume and DetachVolume', () => {
  it('grant the key to the instance as long as the volume is attached', async () => {
    const key = kms.key();
    const id = await ready({ Encrypted: true, KmsKeyId: key });
    const instance = launch();
    kms.take();
    expect(await attach(id, instance)).toMatchObject({
      VolumeId: id, InstanceId: instance, Device: '/dev/sdf', State: 'attaching', DeleteOnTermination: false,
    }); // prettier-ignore
    expect(await describeOne(id)).toMatchObject({
      State: 'in-use',
      Attachments: [{ State: 'attached', InstanceId: instance, Device: '/dev/sdf', DeleteOnTermination: false }],
    });
    const host = `arn:aws:sts::${ACCOUNT}:assumed-role/aws:ec2-infrastructure/${instance}`;
    expect(kms.grantsOf(key).map(({ input }) => input)).toEqual([
      {
        KeyId: key,
        GranteePrincipal: host,
        RetiringPrincipal: EC2,
        Operations: ['Decrypt'],
        Constraints: { EncryptionContextSubset: { [CONTEXT]: id } },
        Name: `ebs-attach-${id}-${instance}`,
      },
    ]);
    expect(kms.calls).toMatchObject([{ action: 'CreateGrant', principal: ROOT, viaService: EC2 }]);
    expect(dataPlane.exports.get(id)).toMatchObject({
      instanceId: instance,
      device: '/dev/sdf',
      dataKey: { principal: { arn: host } },
    });
    const { attachments } = await call<{ attachments: HostAttachment[] }>('ListHostAttachments', { hostId: 'host-1' });
    expect(attachments).toMatchObject([{ volumeId: id, dataKey: { principal: { arn: host }, keyArn: key } }]);

    expect(await call('DetachVolume', { VolumeId: id, InstanceId: instance })).toMatchObject({ State: 'detaching' });
    await settled(id);
    expect(dataPlane.exports.has(id)).toBe(false);
    expect(kms.grantsOf(key)).toEqual([]);
    expect(await call('ListAttachments', {})).toEqual({ attachments: [] });
  });

  it('refuse an unusable key at once and leave nothing behind', async () => {
    const key = kms.key();
    const id = await ready({ Encrypted: true, KmsKeyId: key });
    const revoked = {
      code: 'CustomerKeyHasBeenRevoked',
      message: `Volume ${id} cannot be attached. The encrypted volume was unable to access the KMS master key.`,
    };
    kms.disable(key);
    await expect(attach(id, launch())).rejects.toMatchObject(revoked);
    expect(await describeOne(id)).toMatchObject({ State: 'available', Attachments: [] });
    kms.enable(key);
    dataPlane.refuse = { OpenExport: new AwsError({ code: 'KmsKeyUnusable', message: 'is pending deletion.' }) };
    await expect(attach(id, launch())).rejects.toMatchObject(revoked);
    expect(await describeOne(id)).toMatchObject({ State: 'available', Attachments: [] });
    expect(kms.grantsOf(key)).toEqual([]);
    dataPlane.refuse = {};
    await attach(id, launch());
  });

  it('let exactly one of many attach a volume', async () => {
    const id = await ready();
    const results = await Promise.allSettled(Array.from({ length: 6 }, () => attach(id, launch())));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const refusals = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as AwsError] : []));
    for (const refusal of refusals)
      expect(refusal).toMatchObject({ code: 'VolumeInUse', message: `${id} is already attached to an instance` });
  });

  it('let exactly one of many volumes have a device name', async () => {
    const instance = launch();
    const volumes = await Promise.all(Array.from({ length: 4 }, () => ready()));
    const results = await Promise.allSettled(volumes.map((id) => attach(id, instance)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of results)
      if (result.status === 'rejected')
        expect(result.reason).toMatchObject({
          code: 'InvalidParameterValue',
          message: "Invalid value '/dev/sdf' for unixDevice. Attachment point /dev/sdf is already in use",
        });
    expect(dataPlane.exports.size).toBeGreaterThan(0);
  });

  it.each(['CreateGrant', 'OpenExport'])('come to the same when the answer to %s is lost', async (lost) => {
    const key = kms.key();
    const id = await ready({ Encrypted: true, KmsKeyId: key });
    let times = 0;
    kms.afterwards = dataPlane.afterwards = (action) => {
      if (action === lost && times++ === 0) throw new Error('lost');
    };
    await attach(id, launch());
    expect(times).toBeGreaterThan(1);
    expect(kms.grantsOf(key)).toHaveLength(1);
    await call('DetachVolume', { VolumeId: id });
    await settled(id);
    expect(kms.grantsOf(key)).toEqual([]);
  });

  it('take back a grant whose id was never noted', async () => {
    const key = kms.key();
    const id = await ready({ Encrypted: true, KmsKeyId: key });
    kms.afterwards = (action) => {
      if (action !== 'CreateGrant') return;
      kms.disable(key);
      throw new Error('lost');
    };
    await expect(attach(id, launch())).rejects.toMatchObject({ code: 'CustomerKeyHasBeenRevoked' });
    expect(kms.grantsOf(key)).toEqual([]);
  });

  it.each(['CloseExport', 'RetireGrant'])('detach once when the answer to %s is lost', async (lost) => {
    const key = kms.key();
    const id = await ready({ Encrypted: true, KmsKeyId: key });
    await attach(id, launch());
    let times = 0;
    kms.afterwards = dataPlane.afterwards = (action) => {
      if (action === lost && times++ === 0) throw new Error('lost');
    };
    await call('DetachVolume', { VolumeId: id });
    await settled(id);
    expect(kms.grantsOf(key)).toEqual([]);
    expect(dataPlane.exports.has(id)).toBe(false);
  });

  it('are checked', async () => {
    const id = await ready();
    const encrypted = await ready({ Encrypted: true });
    const instance = launch();
    const free = { VolumeId: id, InstanceId: instance, Device: '/dev/sdg' };
    const none = 'vol-0123456789abcdef0';
    const cases: [string, object, string][] = [
      ['AttachVolume', { InstanceId: instance, Device: '/dev/sdg' }, 'MissingParameter'],
      ['AttachVolume', { ...free, VolumeId: 'vol-x' }, 'InvalidVolumeID.Malformed'],
      ['AttachVolume', { ...free, InstanceId: 'x' }, 'InvalidInstanceID.Malformed'],
      ['AttachVolume', { ...free, VolumeId: none }, 'InvalidVolume.NotFound'],
      ['AttachVolume', { ...free, InstanceId: 'i-0123456789abcdef0' }, 'InvalidInstanceID.NotFound'],
      ['AttachVolume', { ...free, InstanceId: launch({ state: 'terminated' }) }, 'IncorrectState'],
      ['AttachVolume', { ...free, InstanceId: launch({ availabilityZone: 'eu-central-1b' }) }, 'InvalidVolume.ZoneMismatch'],
      ['AttachVolume', { ...free, VolumeId: encrypted, InstanceId: launch({ ebsEncryptionSupported: false }) }, 'EncryptedVolumesNotSupported'],
      ['AttachVolume', { ...free, Device: '/dev/sda1' }, 'InvalidParameterValue'],
      ['AttachVolume', { ...free, Device: '/dev/../etc' }, 'InvalidParameterValue'],
      ['AttachVolume', { ...free, EbsCardIndex: 1 }, 'UnsupportedOperation'],
      ['AttachVolume', { ...free, DryRun: true }, 'DryRunOperation'],
      ['DetachVolume', { VolumeId: id }, 'IncorrectState'],
      ['DetachVolume', { VolumeId: none }, 'InvalidVolume.NotFound'],
      ['DeleteVolume', {}, 'MissingParameter'],
      ['DeleteVolume', { VolumeId: 'x' }, 'InvalidParameterValue'],
      ['DeleteVolume', { VolumeId: none }, 'InvalidVolume.NotFound'],
      ['DeleteVolume', { VolumeId: id, DryRun: true }, 'DryRunOperation'],
    ]; // prettier-ignore
    for (const [action, input, code] of cases)
      await expect(call(action, input), `${action} ${code}`).rejects.toMatchObject({ code });
    await attach(id, instance);
    await expect(call('DeleteVolume', { VolumeId: id })).rejects.toMatchObject({ code: 'VolumeInUse' });
    await expect(call('DetachVolume', { VolumeId: id, InstanceId: launch() })).rejects.toMatchObject({ code: 'InvalidAttachment.NotFound' }); // prettier-ignore
    await expect(attach(encrypted, instance)).rejects.toMatchObject({ code: 'InvalidParameterValue' });
  });
});

describe('DeleteVolume', () => {
  it('removes the files, then the volume', async () => {
    const id = await ready();
    dataPlane.refuse = { RemoveVolume: new AwsError({ code: 'VolumeBusy', message: 'open' }) };
    await call('DeleteVolume', { VolumeId: id });
    const listed = await describeAll({ Filters: [{ Name: 'volume-id', Values: [id] }] });
    expect(listed.Volumes).toMatchObject([{ State: 'deleting' }]);
    expect(await stateOf(id)).toBe('InvalidVolume.NotFound');
    await expect(call('DeleteVolume', { VolumeId: id })).rejects.toMatchObject({ code: 'InvalidVolume.NotFound' });
    dataPlane.refuse = {};
    await expect
      .poll(async () => (await describeAll({ Filters: [{ Name: 'volume-id', Values: [id] }] })).Volumes)
      .toEqual([]);
    expect(dataPlane.allocated.has(id)).toBe(false);
  });
});

describe('accounts and Regions', () => {
  it('see nothing of each other', async () => {
    const id = await ready();
    for (const fields of [{ accountId: accountId('444455556666') }, { region: region('us-east-1') }]) {
      expect(await call('DescribeVolumes', {}, fields)).toMatchObject({ Volumes: [] });
      expect(await call('GetVolume', { volumeId: id }, fields)).toBeNull();
      for (const [action, input] of [
        ['DescribeVolumes', { VolumeIds: [id] }],
        ['DeleteVolume', { VolumeId: id }],
        ['DetachVolume', { VolumeId: id }],
        ['AttachVolume', { VolumeId: id, InstanceId: launch(), Device: '/dev/sdf' }],
        ['CreateTags', { Resources: [id], Tags: [{ Key: 'a' }] }],
      ] as const)
        await expect(call(action, input, fields)).rejects.toMatchObject({ code: 'InvalidVolume.NotFound' });
    }
    expect(toVolumeId(id)).toBe(id);
  });
});
