import type { ec2 } from '@holdfast/aws-protocol';
import { accountId, region } from '@holdfast/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { ACCOUNT, SnapshotsStack } from './testing/snapshots-stack.ts';

const snapshots = new SnapshotsStack();
beforeAll(() => snapshots.start(inject('postgresAdminUrl')));
beforeEach(snapshots.forget);
afterAll(() => snapshots.close());
const { kms, call, volumeUnder, describeAll, describeOne, settled } = snapshots;

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
    const seen = (await describeAll({}, other)).Snapshots ?? [];
    expect(seen.map(({ OwnerAlias }) => OwnerAlias)).toEqual(['amazon']);
    await expect(describeOne(ids['a'] ?? '', other)).rejects.toMatchObject({ code: 'InvalidSnapshot.NotFound' });
    await expect(call('DeleteSnapshot', { SnapshotId: ids['a'] }, other)).rejects.toMatchObject({ code: 'InvalidSnapshot.NotFound' }); // prettier-ignore
    expect(await call('GetSnapshot', { snapshotId: ids['a'] }, other)).toBeNull();
  });
  it('comes page by page', async () => {
    const where = { region: region('eu-west-2') };
    for (let i = 0; i < 7; i++) await call('CreateSnapshot', { VolumeId: volumeUnder(null).volumeId }, where);
    const first = await describeAll({ MaxResults: 5, OwnerIds: ['self'] }, where);
    const second = await describeAll({ MaxResults: 5, OwnerIds: ['self'], NextToken: first.NextToken }, where);
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
