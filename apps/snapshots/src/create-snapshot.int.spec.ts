import type { ec2 } from '@holdfast/aws-protocol';
import { AwsError, type SnapshotRecord } from '@holdfast/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { ACCOUNT, SnapshotsStack } from './testing/snapshots-stack.ts';

const snapshots = new SnapshotsStack();
beforeAll(() => snapshots.start(inject('postgresAdminUrl')));
beforeEach(snapshots.forget);
afterAll(() => snapshots.close());
const {
  kms,
  dataPlane,
  inUse,
  finish,
  call,
  volumeUnder,
  create,
  copy,
  describeAll,
  describeOne,
  settled,
  ready,
  gone,
} = snapshots;

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
    finish(SnapshotId);
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
    dataPlane.refuse = { FreezeSnapshot: new AwsError({ code: 'ManifestDamaged', message: 'a cut entry' }) };
    await expect(create({ VolumeId: volumeId })).rejects.toMatchObject({ name: 'InternalError' });
    await expect
      .poll(async () => (await describeAll({ Filters: [{ Name: 'volume-id', Values: [volumeId] }] })).Snapshots)
      .toMatchObject([{ State: 'error', StateMessage: 'a cut entry' }]);
  });

  it('is never heard of when its volume was deleted after it was looked at', async () => {
    const { volumeId } = volumeUnder(null);
    dataPlane.refuse = { FreezeSnapshot: new AwsError({ code: 'VolumeNotFound', message: 'no such volume here' }) };
    await expect(create({ VolumeId: volumeId })).rejects.toMatchObject({
      code: 'InvalidVolume.NotFound',
      message: `The volume '${volumeId}' does not exist.`,
    });
    await expect
      .poll(async () => (await describeAll({ Filters: [{ Name: 'volume-id', Values: [volumeId] }] })).Snapshots)
      .toEqual([]);
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
    for (const id of dataPlane.snapshots.keys()) finish(id);
  }); // prettier-ignore
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
    finish(copyId);
    await settled(copyId);
    expect(dataPlane.snapshots.has(id)).toBe(true);
    inUse.delete(id);
    await expect.poll(() => dataPlane.snapshots.has(id)).toBe(false);
  });

  it('takes a pending one away when it is completed', async () => {
    dataPlane.next = { state: 'copying', progress: 10 };
    const { SnapshotId = '' } = await create();
    await call('DeleteSnapshot', { SnapshotId });
    expect(await describeOne(SnapshotId)).toMatchObject({ State: 'pending' });
    finish(SnapshotId);
    await gone(SnapshotId);
    await expect.poll(() => dataPlane.snapshots.has(SnapshotId)).toBe(false);
  });

  it.each([
    [{}, 'MissingParameter'],
    [{ SnapshotId: 'x' }, 'InvalidParameterValue'],
    [{ SnapshotId: 'snap-x' }, 'InvalidSnapshotID.Malformed'],
    [{ SnapshotId: 'snap-0123456789abcdef0' }, 'InvalidSnapshot.NotFound'],
  ])('refuses %j: %s', async (input, code) => {
    await expect(call('DeleteSnapshot', input)).rejects.toMatchObject({ code });
  });
});

describe('the rate of snapshots of one volume', () => {
  it('is limited where the settings say so', async () => {
    await snapshots.restart({ snapshotIntervalSeconds: 3600 });
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
    await expect(snapshots.restart({ snapshotInterval: 1 })).rejects.toThrow();
  });
});
