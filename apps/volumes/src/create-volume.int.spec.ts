import type { ec2 } from '@holdfast/aws-protocol';
import { accountId, AwsError, region, type VolumeRecord } from '@holdfast/contracts';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { ACCOUNT, CONTEXT, EC2, ROOT, VolumesStack } from './testing/volumes-stack.ts';

const volumes = new VolumesStack();
beforeAll(() => volumes.start(inject('postgresAdminUrl')));
beforeEach(volumes.forget);
afterAll(() => volumes.close());
const { kms, dataPlane, defaults, call, create, describeOne, settled, ready, stateOf, snapshotUnder } = volumes;

describe('CreateVolume', () => {
  it('refuses an archived snapshot, and has every block of one that restores fast before it is available', async () => {
    const archived = snapshotUnder(null, { archived: true });
    await expect(create({ SnapshotId: archived.snapshotId })).rejects.toMatchObject({ code: 'IncorrectState' });
    const { snapshotId } = snapshotUnder(null);
    volumes.fastRestored.add(snapshotId);
    const created = await create({ SnapshotId: snapshotId });
    expect(created.FastRestored).toBe(true);
    const id = await settled(created.VolumeId ?? '');
    expect((await describeOne(id))?.FastRestored).toBe(true);
    expect(dataPlane.allocated.get(id)).toMatchObject({ initialized: true });
    const slow = await settled((await create({ SnapshotId: snapshotUnder(null).snapshotId })).VolumeId ?? '');
    expect((await describeOne(slow))?.FastRestored).toBeUndefined();
    const Filters = [{ Name: 'fast-restored', Values: ['true'] }];
    const fast = await call<ec2.DescribeVolumesResult>('DescribeVolumes', { Filters });
    expect(fast.Volumes?.map(({ VolumeId }) => VolumeId)).toEqual([id]);
  });

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

  it('is refused beyond what an account may have of the type in the Region, and planned no further either', async () => {
    const elsewhere = { region: region('us-east-1') };
    const largest = { AvailabilityZone: 'us-east-1a', Size: 65_536, VolumeType: 'io2', Iops: 100 };
    for (let i = 0; i < 4; i++) await call('CreateVolume', largest, elsewhere);
    const refused = {
      code: 'VolumeLimitExceeded',
      message:
        'You have exceeded your maximum io2 storage limit of 300 TiB in this region. Please contact AWS Support to request an Elastic Block Store service limit increase.',
    };
    await expect(call('CreateVolume', largest, elsewhere)).rejects.toMatchObject(refused);
    await expect(call('PlanVolume', { input: largest }, elsewhere)).rejects.toMatchObject(refused);
    await call('CreateVolume', { ...largest, VolumeType: 'gp3', Iops: 3000 }, elsewhere);
  });

  it('forgets a token after twelve hours, that of a creation which failed included', async () => {
    const disabled = kms.key();
    kms.disable(disabled);
    const failing = { Encrypted: true, KmsKeyId: disabled, ClientToken: randomBytes(8).toString('hex') };
    const lasting = { ClientToken: randomBytes(8).toString('hex') };
    const { VolumeId: failed } = await create(failing);
    await settled(failed, 'InvalidVolume.NotFound');
    const { VolumeId: first } = await create(lasting);
    await volumes.turnClock(11.9);
    expect((await create(lasting)).VolumeId).toBe(first);
    await expect(create(failing)).rejects.toMatchObject({ code: 'IdempotentParameterMismatch' });
    await volumes.turnClock(12.1);
    const { VolumeId: second } = await create(lasting);
    expect(second).not.toBe(first);
    expect((await create(lasting)).VolumeId).toBe(second);
    await expect(create({ ...lasting, Size: 2 })).rejects.toMatchObject({ code: 'IdempotentParameterMismatch' });
    expect((await create({ ...failing, KmsKeyId: kms.key() })).State).toBe('creating');
    await volumes.turnClock(0);
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
      const times = volumes.loseAnswerTo(lost);
      const id = await ready({ Encrypted: true, KmsKeyId: key });
      expect(times()).toBeGreaterThan(0);
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
    await volumes.restart(() => (dataPlane.refuse = {}));
    // The broker may take the event for being handled until its acknowledgement is due, 5 s later.
    await settled(VolumeId);
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
  const failed = snapshotUnder(null, { state: 'error', volumeSizeGiB: 0 });
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
    [{ ...zoned, SnapshotId: failed.snapshotId }, 'IncorrectState'],
    [{ ...zoned, SnapshotId: encrypted.snapshotId, Encrypted: false }, 'InvalidParameterCombination'],
    [{ ...zoned, Size: 1, KmsKeyId: 'k' }, 'InvalidParameterDependency'],
    [{ ...zoned, Size: 1, MultiAttachEnabled: true }, 'InvalidParameterCombination'],
    [{ ...zoned, Size: 1, VolumeInitializationRate: 100 }, 'InvalidParameterCombination'],
    [{ ...zoned, SnapshotId: 'snap-0123456789abcdef0', VolumeInitializationRate: 99 }, 'InvalidParameterValue'],
    [{ ...zoned, SnapshotId: 'snap-0123456789abcdef0', VolumeInitializationRate: 301 }, 'InvalidParameterValue'],
    [{ ...zoned, Size: 1, OutpostArn: 'arn' }, 'UnsupportedOperation'],
    [{ ...zoned, Size: 1, Operator: { Principal: 'x' } }, 'UnsupportedOperation'],
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
