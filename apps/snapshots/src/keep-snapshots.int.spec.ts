import type { ec2, rbin } from '@holdfast/aws-protocol';
import { accountId, AwsError } from '@holdfast/contracts';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { EC2, SnapshotsStack } from './testing/snapshots-stack.ts';

const snapshots = new SnapshotsStack();
beforeAll(() => snapshots.start(inject('postgresAdminUrl')));
beforeEach(snapshots.forget);
afterAll(() => snapshots.close());
const { dataPlane, call, describeOne, gone, ready, settled, volumeUnder } = snapshots;

const BOB = '444455556666';
const bob = {
  accountId: accountId(BOB),
  principal: { type: 'Root', arn: `arn:aws:iam::${BOB}:root`, accountId: BOB, principalId: BOB },
} as never;

/** An instance with a root volume and two others. */
const instance = () => {
  const instanceId = `i-0${randomBytes(8).toString('hex')}`;
  const volumes = ['/dev/xvda', '/dev/sdf', '/dev/sdg'].map((device) => ({
    volumeId: volumeUnder(null).volumeId as string,
    ...{ device, state: 'attached' },
  }));
  snapshots.attachments.set(instanceId, volumes);
  return { instanceId, ids: volumes.map(({ volumeId }) => volumeId) };
};
const createSet = async (InstanceId: string, fields: object = {}, more: object = {}) => {
  const input = { InstanceSpecification: { InstanceId, ...fields }, ...more };
  return (await call<ec2.CreateSnapshotsResult>('CreateSnapshots', input)).Snapshots ?? [];
};

describe('CreateSnapshots', () => {
  it('takes all volumes of an instance, or those that are not excluded', async () => {
    const { instanceId, ids } = instance();
    snapshots.volumeTags.push({ ResourceId: ids[1] ?? '', Key: 'a', Value: '1' });
    const all = await createSet(instanceId, {}, { CopyTagsFromSource: 'volume' });
    expect(all.map(({ VolumeId }) => VolumeId)).toEqual(ids);
    expect(all.map(({ Tags }) => Tags)).toEqual([[], [{ Key: 'a', Value: '1' }], []]);
    expect(all.every(({ State, Progress }) => State === 'pending' && Progress === '')).toBe(true);
    for (const { SnapshotId } of all) await settled(SnapshotId);
    const data = await createSet(instanceId, { ExcludeBootVolume: true, ExcludeDataVolumeIds: [ids[2]] });
    expect(data.map(({ VolumeId }) => VolumeId)).toEqual([ids[1]]);
  });

  it('completes them together', async () => {
    dataPlane.next = { state: 'copying', progress: 50 };
    const [first, ...rest] = await createSet(instance().instanceId);
    for (const { SnapshotId = '' } of rest) snapshots.finish(SnapshotId);
    await vi.waitUntil(async () => (await describeOne(first?.SnapshotId ?? ''))?.Progress === '50%', 60_000);
    expect((await describeOne(rest[0]?.SnapshotId ?? ''))?.State).toBe('pending');
    snapshots.finish(first?.SnapshotId ?? '');
    for (const { SnapshotId } of [first, ...rest].map((found) => found ?? {})) await settled(SnapshotId);
  });

  it('ends all of them in error where one fails', async () => {
    dataPlane.next = { state: 'copying', progress: 0 };
    const set = await createSet(instance().instanceId);
    const [broken, ...rest] = set.map(({ SnapshotId = '' }) => SnapshotId);
    for (const id of rest) snapshots.finish(id);
    dataPlane.snapshots.set(broken ?? '', { state: 'failed', progress: 0, reason: 'a disk broke' });
    for (const id of [broken, ...rest]) await settled(id, 'error');
  });

  it('ends all of them in error where they can’t be taken at one moment', async () => {
    dataPlane.refuse = { FreezeSnapshots: new AwsError({ code: 'SetIncomplete' }) };
    const set = await createSet(instance().instanceId);
    expect(set.map(({ State }) => State)).toEqual(['error', 'error', 'error']);
    expect((await describeOne(set[0]?.SnapshotId ?? ''))?.State).toBe('error');
  });

  it.each([
    ['an instance that is not there', {}, 'InvalidInstanceID.NotFound', 'i-0123456789abcdef0'],
    ['no id', {}, 'InvalidInstanceID.Malformed', 'x'],
    ['a volume of another instance', { ExcludeDataVolumeIds: ['vol-0123456789abcdef0'] }, 'InvalidParameterValue', ''],
  ])('refuses %s', async (_, fields, code, id) => {
    await expect(createSet(id || instance().instanceId, fields)).rejects.toMatchObject({ code });
  });

  it('refuses to leave out the root volume by its id', async () => {
    const { instanceId, ids } = instance();
    const refused = createSet(instanceId, { ExcludeDataVolumeIds: [ids[0]] });
    await expect(refused).rejects.toMatchObject({ code: 'InvalidParameterValue' });
    await expect(createSet(instanceId, {}, { DryRun: true })).rejects.toMatchObject({ code: 'DryRunOperation' });
  });
});

describe('LockSnapshot', () => {
  it('is held against DeleteSnapshot, also in a dry run, and is listed', async () => {
    const SnapshotId = await ready();
    await call('LockSnapshot', { SnapshotId, LockMode: 'governance', LockDuration: 2 });
    for (const DryRun of [true, false])
      await expect(call('DeleteSnapshot', { SnapshotId, DryRun })).rejects.toMatchObject({
        code: 'OperationNotPermitted',
      });
    const list = (input: object) => call<ec2.DescribeLockedSnapshotsResult>('DescribeLockedSnapshots', input);
    const Filters = [{ Name: 'lock-state', Values: ['governance'] }];
    expect((await list({ Filters, SnapshotIds: [SnapshotId] })).Snapshots).toMatchObject([
      { SnapshotId, LockDuration: 2 },
    ]);
    await expect(list({ SnapshotIds: ['snap-0123456789abcdef0'] })).rejects.toMatchObject({
      code: 'InvalidSnapshot.NotFound',
    });
    await expect(call('UnlockSnapshot', { SnapshotId }, bob)).rejects.toMatchObject({
      code: 'InvalidSnapshot.NotFound',
    });
    await call('UnlockSnapshot', { SnapshotId });
    await call('DeleteSnapshot', { SnapshotId });
    await gone(SnapshotId);
  });

  it.each([
    [{}, 'MissingParameter'],
    [{ LockMode: 'forever', LockDuration: 1 }, 'InvalidParameterValue'],
    [{ LockMode: 'governance' }, 'MissingParameter'],
    [
      { LockMode: 'governance', LockDuration: 1, ExpirationDate: '2099-01-01T00:00:00.000Z' },
      'InvalidParameterCombination',
    ],
    [{ LockMode: 'governance', LockDuration: 1, CoolOffPeriod: 1 }, 'InvalidParameterCombination'],
    [{ LockMode: 'governance', LockDuration: 0 }, 'InvalidParameterValue'],
  ])('refuses %j', async (input, code) => {
    await expect(call('LockSnapshot', { SnapshotId: await ready(), ...input })).rejects.toMatchObject({ code });
  });
});

describe('the archive tier', () => {
  const tierOf = async (SnapshotId: string) => {
    const Filters = [{ Name: 'snapshot-id', Values: [SnapshotId] }];
    const found = await call<ec2.DescribeSnapshotTierStatusResult>('DescribeSnapshotTierStatus', { Filters });
    return found.SnapshotTierStatuses?.[0];
  };
  const reached = (id: string, status: string) =>
    vi.waitUntil(async () => (await tierOf(id))?.LastTieringOperationStatus === status, 60_000);

  it('takes a snapshot’s blocks only when nothing is made of them any more', async () => {
    const SnapshotId = await ready();
    snapshots.inUse.add(SnapshotId);
    await call('ModifySnapshotTier', { SnapshotId, StorageTier: 'archive' });
    await vi.waitUntil(() => dataPlane.tiers.get(SnapshotId)?.archive === true, 60_000);
    expect(dataPlane.calls).not.toContain('ReleaseArchive');
    expect((await tierOf(SnapshotId))?.LastTieringOperationStatus).toBe('archival-in-progress');
    snapshots.inUse.delete(SnapshotId);
    await reached(SnapshotId, 'archival-completed');
    expect(await describeOne(SnapshotId)).toMatchObject({ StorageTier: 'archive' });
    expect(await call('GetSnapshot', { snapshotId: SnapshotId })).toMatchObject({ archived: true });
    await call('DeleteSnapshot', { SnapshotId });
    await gone(SnapshotId);
  });

  it('leaves a snapshot where it is that can’t be archived, and says why', async () => {
    const SnapshotId = await ready();
    dataPlane.tiers.set(SnapshotId, { blocks: true, archive: false, progress: 0, failure: 'a block is damaged' });
    await call('ModifySnapshotTier', { SnapshotId });
    await reached(SnapshotId, 'archival-failed');
    expect(await tierOf(SnapshotId)).toMatchObject({
      StorageTier: 'standard',
      LastTieringOperationStatusDetail: 'a block is damaged',
    });
    dataPlane.tiers.delete(SnapshotId);
    await call('ModifySnapshotTier', { SnapshotId });
    await reached(SnapshotId, 'archival-completed');
  });

  it('comes to the same when answers are lost', async () => {
    const SnapshotId = await ready();
    const times = snapshots.loseAnswerTo('ReleaseArchive');
    await call('ModifySnapshotTier', { SnapshotId });
    await reached(SnapshotId, 'archival-completed');
    expect(times()).toBeGreaterThan(1);
  });

  it('refuses what is no archive, and what is asked for in two ways', async () => {
    const SnapshotId = await ready();
    const restore = (input: object) => expect(call('RestoreSnapshotTier', { SnapshotId, ...input })).rejects;
    await restore({ PermanentRestore: true }).toMatchObject({ code: 'IncorrectState' });
    await restore({ PermanentRestore: true, TemporaryRestoreDays: 1 }).toMatchObject({
      code: 'InvalidParameterCombination',
    });
    await restore({}).toMatchObject({ code: 'MissingParameter' });
    await expect(call('ModifySnapshotTier', { SnapshotId, StorageTier: 'standard' })).rejects.toMatchObject({
      code: 'InvalidParameterValue',
    });
  });
});

describe('the Recycle Bin', () => {
  const create = (input: object = {}, fields: object = {}) =>
    call<rbin.CreateRuleResponse>(
      'CreateRule',
      {
        ...{ ResourceType: 'EBS_SNAPSHOT', RetentionPeriod: { RetentionPeriodValue: 2, RetentionPeriodUnit: 'DAYS' } },
        ...input,
      },
      fields,
    );

  it('keeps what a rule of its account and Region names', async () => {
    const { Identifier } = await create({ ResourceTags: [{ ResourceTagKey: 'keep' }] });
    const kept = await ready();
    await call('CreateTags', { Resources: [kept], Tags: [{ Key: 'keep', Value: '' }] });
    const other = await ready();
    for (const SnapshotId of [kept, other]) await call('DeleteSnapshot', { SnapshotId });
    const { Snapshots } = await call<ec2.ListSnapshotsInRecycleBinResult>('ListSnapshotsInRecycleBin', {});
    expect(Snapshots?.map(({ SnapshotId }) => SnapshotId)).toEqual([kept]);
    await call('CreateTags', { Resources: [kept], Tags: [{ Key: 'more', Value: '' }] });
    const Filters = [{ Name: 'resource-id', Values: [kept] }];
    const { Tags } = await call<ec2.DescribeTagsResult>('DescribeTags', { Filters });
    expect(Tags?.map(({ Key }) => Key)).toEqual(['aws:recycle-bin:resource-in-bin', 'keep', 'more']);
    const restore = (SnapshotId: string, fields = {}) => call('RestoreSnapshotFromRecycleBin', { SnapshotId }, fields);
    await expect(restore(other)).rejects.toMatchObject({ code: 'InvalidSnapshot.NotFound' });
    await expect(restore(kept, bob)).rejects.toMatchObject({ code: 'InvalidSnapshot.NotFound' });
    await call('DeleteRule', { Identifier });
    await restore(kept);
    expect((await describeOne(kept))?.State).toBe('completed');
    expect(await call('GetRetention', { resourceType: 'EBS_SNAPSHOT', tags: { keep: '' } })).toEqual({ days: null });
  });

  it('shows an account its own rules, page by page', async () => {
    const made = [];
    for (const Description of ['a', 'b', 'c']) made.push(await create({ Description }, bob));
    const list = (input: object, fields: object) =>
      call<rbin.ListRulesResponse>('ListRules', { ResourceType: 'EBS_SNAPSHOT', ...input }, fields);
    const first = await list({ MaxResults: 2 }, bob);
    expect(first.Rules?.map(({ Description }) => Description)).toEqual(['a', 'b']);
    expect((await list({ NextToken: first.NextToken }, bob)).Rules).toMatchObject([{ Description: 'c' }]);
    expect((await list({}, {})).Rules).toEqual([]);
    await expect(list({ NextToken: 'AAAA' }, bob)).rejects.toMatchObject({
      members: { Reason: 'INVALID_PAGE_TOKEN' },
    });
    const { Identifier, RuleArn: ResourceArn } = made[0] ?? {};
    for (const [action, input] of [
      ['GetRule', { Identifier }],
      ['ListTagsForResource', { ResourceArn }],
    ] as const)
      await expect(call(action, input)).rejects.toMatchObject({ code: 'ResourceNotFoundException' });
  });

  it('has rules for volumes and images as well, and refuses those for what it does not keep, or so long', async () => {
    for (const ResourceType of ['EBS_VOLUME', 'EC2_IMAGE'] as const) {
      const { Identifier } = await create({ ResourceType });
      expect(await call('GetRetention', { resourceType: ResourceType, tags: {} })).toEqual({ days: 2 });
      await call('DeleteRule', { Identifier });
    }
    const RetentionPeriod = { RetentionPeriodValue: 8, RetentionPeriodUnit: 'DAYS' };
    for (const input of [{ ResourceType: 'EBS_VOLUME', RetentionPeriod }, { ResourceType: 'EC2_INSTANCE' }])
      await expect(create(input)).rejects.toMatchObject({ code: 'ValidationException' });
  });
});

describe('fast snapshot restore', () => {
  const enable = (SourceSnapshotIds: string[], fields = {}, AvailabilityZones = ['eu-central-1a']) =>
    call<ec2.EnableFastSnapshotRestoresResult>(
      ...(['EnableFastSnapshotRestores', { SourceSnapshotIds, AvailabilityZones }, fields] as const),
    );

  it('succeeds or fails snapshot by snapshot, for five of them', async () => {
    const ids = [];
    for (let n = 0; n < 6; n++) ids.push(await ready());
    const { Successful = [], Unsuccessful = [] } = await enable([...ids, 'snap-0123456789abcdef0']);
    expect(Successful.map(({ SnapshotId, State }) => [SnapshotId, State])).toEqual(
      expect.arrayContaining(ids.slice(0, 5).map((id) => [id, 'enabling'])),
    );
    const codes = Unsuccessful.map((item) => item.FastSnapshotRestoreStateErrors?.[0]?.Error?.Code);
    expect(codes).toEqual(['ResourceLimitExceeded', 'InvalidSnapshot.NotFound']);
    await call('DisableFastSnapshotRestores', { SourceSnapshotIds: ids, AvailabilityZoneIds: ['euc1-az1'] });
    expect((await enable([ids[5] ?? ''])).Successful).toHaveLength(1);
    expect(await call('UseFastRestore', { snapshotId: ids[5], availabilityZone: 'eu-central-1a' })).toEqual({
      fastRestored: false,
    });
  });

  it('is for those, too, with whom a snapshot is shared', async () => {
    const id = await ready();
    expect((await enable([id], bob)).Unsuccessful).toHaveLength(1);
    const CreateVolumePermission = { Add: [{ UserId: BOB }] };
    await call('ModifySnapshotAttribute', { SnapshotId: id, CreateVolumePermission });
    expect((await enable([id], bob)).Successful).toMatchObject([{ OwnerId: BOB }]);
    await expect(enable([id], bob, ['us-east-1a'])).rejects.toMatchObject({ code: 'InvalidParameterValue' });
  });
});

describe('a copy of a later snapshot of a volume', () => {
  it('is under the data key of the copy before, if the key is the same', async () => {
    const { kms, copy } = snapshots;
    const { volumeId } = volumeUnder(null);
    const take = async () => settled((await snapshots.create({ VolumeId: volumeId })).SnapshotId);
    const keys = [kms.key(), kms.key()];
    const copied = async (KmsKeyId: string) => {
      const { SnapshotId } = await copy({ SourceSnapshotId: await take(), Encrypted: true, KmsKeyId });
      return describeOne(await settled(SnapshotId));
    };
    const [first, second] = [await copied(keys[0] ?? ''), await copied(keys[0] ?? '')];
    expect(second?.DataEncryptionKeyId).toBe(first?.DataEncryptionKeyId);
    const firstsKey = { encryptionContext: { 'aws:ebs:id': first?.SnapshotId }, principal: { arn: EC2 } };
    expect(dataPlane.copies.get(second?.SnapshotId ?? '')).toMatchObject({
      previousCopy: first?.SnapshotId,
      dataKey: firstsKey,
      ownContext: { 'aws:ebs:id': second?.SnapshotId },
    });
    // KMS is asked for it by whoever writes the blocks, not here.
    expect(kms.calls.filter(({ action }) => action === 'Decrypt' || action === 'Encrypt')).toEqual([]);
    expect(kms.grants.size).toBe(0);
    const third = await copied(keys[1] ?? '');
    expect(third?.DataEncryptionKeyId).not.toBe(first?.DataEncryptionKeyId);
    expect(dataPlane.copies.get(third?.SnapshotId ?? '')).not.toHaveProperty('previousCopy');
  });
});
