import type { ec2 } from '@holdfast/aws-protocol';
import { accountId, type SnapshotRecord } from '@holdfast/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { ACCOUNT, SnapshotsStack } from './testing/snapshots-stack.ts';

const snapshots = new SnapshotsStack();
beforeAll(() => snapshots.start(inject('postgresAdminUrl')));
beforeEach(snapshots.forget);
afterAll(() => snapshots.close());
const { kms, call, copy, describeAll, describeOne, ready, settled, publicAccess } = snapshots;

const BOB = '444455556666';
const principal = { type: 'Root', arn: `arn:aws:iam::${BOB}:root`, accountId: BOB, principalId: BOB };
const bob = { accountId: accountId(BOB), principal } as never;
const modify = (SnapshotId: string, input: Partial<ec2.ModifySnapshotAttributeRequest>, fields = {}) =>
  call('ModifySnapshotAttribute', { SnapshotId, ...input }, fields);
const add = (id: string, ...Add: ec2.CreateVolumePermission[]) => modify(id, { CreateVolumePermission: { Add } });
const permissions = async (SnapshotId: string) =>
  (
    await call<ec2.DescribeSnapshotAttributeResult>('DescribeSnapshotAttribute', {
      SnapshotId,
      Attribute: 'createVolumePermission',
    })
  ).CreateVolumePermissions;
const notFound = { code: 'InvalidSnapshot.NotFound' };
const seenByBob = async (input: ec2.DescribeSnapshotsRequest = {}) =>
  ((await describeAll(input, bob)).Snapshots ?? []).map(({ SnapshotId }) => SnapshotId);

describe('ModifySnapshotAttribute', () => {
  it('shares with accounts and with all, in either form, and takes it back', async () => {
    const id = await ready();
    await add(id, { UserId: BOB }, { UserId: ACCOUNT }, { Group: 'all' });
    expect(await permissions(id)).toEqual([{ Group: 'all' }, { UserId: BOB }]);
    const legacy = { Attribute: 'createVolumePermission', UserIds: [BOB] };
    await modify(id, { ...legacy, OperationType: 'remove' });
    expect(await permissions(id)).toEqual([{ Group: 'all' }]);
    await modify(id, { ...legacy, OperationType: 'add' });
    await modify(id, { CreateVolumePermission: { Remove: [{ Group: 'all' }] } });
    expect(await permissions(id)).toEqual([{ UserId: BOB }]);
    await call('ResetSnapshotAttribute', { SnapshotId: id, Attribute: 'createVolumePermission' });
    expect(await permissions(id)).toEqual([]);
    const attribute = { SnapshotId: id, Attribute: 'productCodes' };
    expect(await call('DescribeSnapshotAttribute', attribute)).toEqual({ SnapshotId: id, ProductCodes: [] });
  });

  const form = { Attribute: 'createVolumePermission', OperationType: 'add' };
  it.each<[Partial<ec2.ModifySnapshotAttributeRequest>, string, string?]>([
    [{ CreateVolumePermission: { Add: [{ UserId: BOB }], Remove: [{ UserId: BOB }] } }, 'InvalidParameterCombination', 'One and only one operation type may be specified for createVolumePermissions'],
    [{}, 'InvalidParameterCombination', 'No attributes specified.'],
    [{ Attribute: '' }, 'MissingParameter', 'Value for parameter attribute is invalid. Parameter may not be null or empty.'],
    [{ Attribute: 'productCodes' }, 'InvalidParameterValue', 'Unrecognized attribute.'],
    [{ Attribute: 'createVolumePermission' }, 'InvalidParameterCombination', 'No operation specified for createVolumePermission attribute.'],
    [{ ...form, OperationType: 'x' }, 'InvalidParameterValue'],
    [form, 'InvalidParameterCombination', 'No attributes specified.'],
    [{ CreateVolumePermission: { Add: [{}] } }, 'InvalidParameterCombination', 'No attributes specified.'],
    [{ CreateVolumePermission: { Add: Array.from({ length: 501 }, () => ({ UserId: BOB })) } }, 'InvalidParameterValue', 'Modification size must not be greater than 500.'],
    [{ CreateVolumePermission: { Add: [{ UserId: 'x' }] } }, 'InvalidAMIAttributeItemValue', 'UserId x'],
    [{ ...form, UserIds: ['x'] }, 'InvalidAMIAttributeItemValue', 'UserId (x) is invalid.'],
    [{ CreateVolumePermission: { Add: [{ Group: 'some' }] } }, 'InvalidAMIAttributeItemValue', 'UserGroup some'],
    [{ ...form, UserIds: [BOB], DryRun: true }, 'DryRunOperation'],
    [{ SnapshotId: 'snap-0123456789abcdef0', ...form, UserIds: [BOB], DryRun: true }, 'DryRunOperation'],
    [{ SnapshotId: '', ...form, UserIds: [BOB] }, 'MissingParameter'],
    [{ SnapshotId: 'x' }, 'InvalidParameterCombination'],
    [{ SnapshotId: 'x', ...form, UserIds: [BOB], DryRun: true }, 'InvalidParameterValue'],
    [{ SnapshotId: 'x', ...form, UserIds: [BOB] }, 'InvalidParameterValue', "Value (x) for parameter snapshotId is invalid. Expected: 'snap-...'."],
    [{ SnapshotId: 'snap-0123456789abcdef0', ...form, UserIds: [BOB] }, 'InvalidSnapshot.NotFound', "The snapshot 'snap-0123456789abcdef0' does not exist."],
  ])('refuses %j', async (input, code, message) => {
    const refused = modify(await ready(), input);
    await expect(refused).rejects.toMatchObject(message === undefined ? { code } : { code, message });
  }); // prettier-ignore

  it.each(['DescribeSnapshotAttribute', 'ResetSnapshotAttribute'])('%s knows its attributes only', async (action) => {
    const id = await ready();
    await expect(call(action, { SnapshotId: id, Attribute: 'x' })).rejects.toMatchObject({
      code: 'InvalidRequest',
      message: 'The request received was invalid.',
    });
    const known = { SnapshotId: id, Attribute: 'createVolumePermission' };
    const dry = { ...known, SnapshotId: 'x', DryRun: true };
    await expect(call(action, dry)).rejects.toMatchObject({ code: 'DryRunOperation' });
    await expect(call(action, { ...dry, Attribute: 'x' })).rejects.toMatchObject({ code: 'InvalidRequest' });
    await add(id, { UserId: BOB });
    await expect(call(action, known, bob)).rejects.toMatchObject(notFound);
    await expect(modify(id, { CreateVolumePermission: { Add: [{ Group: 'all' }] } }, bob)).rejects.toMatchObject(
      notFound,
    );
  });

  it('asks nothing of KMS that a policy could refuse, and shares no encrypted snapshot publicly', async () => {
    const [customer, managed] = [kms.key(), kms.key('alias/aws/ebs')];
    const [own, aws] = [await ready(customer), await ready(managed)];
    kms.take();
    kms.disable(customer);
    await add(own, { UserId: BOB });
    expect(kms.take()).toEqual(['GetKeyManager']);
    const refused = { code: 'OperationNotPermitted' };
    const publicly = 'Encrypted snapshots cannot be shared publicly.';
    await expect(add(own, { Group: 'all' })).rejects.toMatchObject({ ...refused, message: publicly });
    await expect(add(aws, { UserId: BOB })).rejects.toMatchObject({
      ...refused,
      message: 'Encrypted snapshots with EBS default key cannot be shared',
    });
    expect(await permissions(aws)).toEqual([]);
  });

  it('is refused publicly while the account blocks it', async () => {
    const id = await ready();
    for (const mode of ['block-new-sharing', 'block-all-sharing']) {
      publicAccess.set(ACCOUNT, mode);
      await expect(add(id, { Group: 'all' })).rejects.toMatchObject({
        code: 'OperationNotPermitted',
        message: 'Public sharing of snapshots is blocked for this account.',
      });
      await add(id, { UserId: BOB });
    }
  });
});

describe('another account', () => {
  it('sees what is shared with it, from then on and until it no longer is', async () => {
    const id = await ready(kms.key());
    await expect(describeOne(id, bob)).rejects.toMatchObject(notFound);
    await add(id, { UserId: BOB });
    expect(await describeOne(id, bob)).toMatchObject({ SnapshotId: id, OwnerId: ACCOUNT, Encrypted: true });
    expect(await call<SnapshotRecord>('GetSnapshot', { snapshotId: id }, bob)).toMatchObject({ ownerId: ACCOUNT });
    for (const input of [{}, { OwnerIds: [ACCOUNT] }, { RestorableByUserIds: ['self'] }])
      expect(await seenByBob(input)).toContain(id);
    for (const input of [{ OwnerIds: ['self'] }, { RestorableByUserIds: ['all'] }, { RestorableByUserIds: [ACCOUNT] }])
      expect(await seenByBob(input)).not.toContain(id);
    const restorable = async (who: string) =>
      ((await describeAll({ RestorableByUserIds: [who] })).Snapshots ?? []).map(({ SnapshotId }) => SnapshotId);
    expect(await restorable(BOB)).toContain(id);
    expect(await restorable('777788889999')).not.toContain(id);
    await expect(call('DeleteSnapshot', { SnapshotId: id }, bob)).rejects.toMatchObject(notFound);
    await modify(id, { CreateVolumePermission: { Remove: [{ UserId: BOB }] } });
    await expect(describeOne(id, bob)).rejects.toMatchObject(notFound);
    expect(await seenByBob()).not.toContain(id);
  });

  it('sees public ones, unless their owner blocks all sharing', async () => {
    const id = await ready();
    await add(id, { Group: 'all' });
    expect(await seenByBob()).toContain(id);
    expect(await seenByBob({ RestorableByUserIds: ['all'] })).toContain(id);
    expect(await seenByBob({ RestorableByUserIds: ['self'] })).not.toContain(id);
    publicAccess.set(ACCOUNT, 'block-new-sharing');
    expect(await seenByBob()).toContain(id);
    publicAccess.set(ACCOUNT, 'block-all-sharing');
    expect(await seenByBob()).not.toContain(id);
    expect(await call('GetSnapshot', { snapshotId: id }, bob)).toBeNull();
    expect(await describeOne(id)).toMatchObject({ SnapshotId: id });
    expect(await permissions(id)).toEqual([{ Group: 'all' }]);
  });

  it('has tags of its own on it', async () => {
    const id = await ready();
    await add(id, { UserId: BOB });
    const tag = (Value: string, fields = {}) =>
      call('CreateTags', { Resources: [id], Tags: [{ Key: 'whose', Value }] }, fields);
    await tag('owner');
    expect(await describeOne(id, bob)).toMatchObject({ Tags: [] });
    await tag('bob', bob);
    expect(await describeOne(id, bob)).toMatchObject({ Tags: [{ Key: 'whose', Value: 'bob' }] });
    expect(await describeOne(id)).toMatchObject({ Tags: [{ Key: 'whose', Value: 'owner' }] });
    const filter = [{ Name: 'tag:whose', Values: ['bob'] }];
    expect(await seenByBob({ Filters: filter })).toEqual([id]);
    expect((await describeAll({ Filters: filter })).Snapshots).toEqual([]);
    const tags = await call<ec2.DescribeTagsResult>('DescribeTags', {}, bob);
    expect(tags.Tags).toEqual([{ Key: 'whose', Value: 'bob', ResourceId: id, ResourceType: 'snapshot' }]);
    await call('DeleteTags', { Resources: [id] }, bob);
    expect(await describeOne(id, bob)).toMatchObject({ Tags: [] });
    expect(await describeOne(id)).toMatchObject({ Tags: [{ Key: 'whose', Value: 'owner' }] });
    await modify(id, { CreateVolumePermission: { Remove: [{ UserId: BOB }] } });
    await expect(tag('bob', bob)).rejects.toMatchObject(notFound);
  });

  it('copies it under a key of its own, reading the source as itself', async () => {
    const from = kms.key();
    const to = kms.key();
    const id = await ready(from);
    const unshared = await copy({ SourceSnapshotId: id }, bob);
    await settled(unshared.SnapshotId, 'error', bob);
    await add(id, { UserId: BOB });
    kms.take();
    const { SnapshotId = '' } = await copy({ SourceSnapshotId: id, KmsKeyId: to }, bob);
    await settled(SnapshotId, 'completed', bob);
    expect(await describeOne(SnapshotId, bob)).toMatchObject({ OwnerId: BOB, KmsKeyId: to, VolumeSize: 2 });
    const grants = kms.calls.filter(({ action }) => action === 'CreateGrant');
    expect(grants.map(({ input, principal: who }) => [input['KeyId'], who])).toEqual([
      [to, `arn:aws:iam::${BOB}:root`],
      [from, `arn:aws:iam::${BOB}:root`],
    ]);
    expect(kms.grants.size).toBe(0);
  });
});
