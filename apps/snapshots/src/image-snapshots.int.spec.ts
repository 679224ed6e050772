import { accountId, newSnapshotId, type SnapshotRecord } from '@holdfast/contracts';
import { AMAZON_ACCOUNT_ID } from '@holdfast/ec2';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { ACCOUNT, SnapshotsStack } from './testing/snapshots-stack.ts';

const stack = new SnapshotsStack();
const { call, ready, settled, volumeUnder } = stack;
beforeAll(() => stack.start(inject('postgresAdminUrl')));
beforeEach(stack.forget);
afterAll(() => stack.close());

const BOB = { accountId: accountId('444455556666') };

describe('snapshots for an image', () => {
  const wish = (count = 2) => ({
    snapshots: Array.from({ length: count }, () => ({
      snapshotId: newSnapshotId(),
      volumeId: volumeUnder(null).volumeId,
    })),
    description: 'Created by CreateImage(i-1) for ami-1',
    tags: { of: 'image' },
  });

  it('are taken under the ids that were chosen, however often they are asked for', async () => {
    const input = wish();
    await Promise.all([call('CreateImageSnapshots', input), call('CreateImageSnapshots', input)]);
    await call('CreateImageSnapshots', input);
    for (const { snapshotId, volumeId } of input.snapshots) {
      await settled(snapshotId);
      expect(await stack.describeOne(snapshotId)).toMatchObject({
        ...{ VolumeId: volumeId, Description: input.description, Tags: [{ Key: 'of', Value: 'image' }] },
      });
    }
    await call('CreateImageSnapshots', input);
  });

  it('are refused as a whole when one volume is not there', async () => {
    const input = wish();
    const [first] = input.snapshots;
    const absent = { snapshotId: newSnapshotId(), volumeId: 'vol-0123456789abcdef0' };
    const refused = call('CreateImageSnapshots', { ...input, snapshots: [first, absent] });
    await expect(refused).rejects.toMatchObject({ code: 'InvalidVolume.NotFound' });
    expect(await call('GetSnapshot', { snapshotId: first?.snapshotId })).toBeNull();
  });

  it('are copied under the key that was chosen, once', async () => {
    const keyArn = stack.kms.key();
    const sourceSnapshotId = await ready();
    const snapshotId = newSnapshotId();
    const input = { snapshotId, sourceSnapshotId, sourceRegion: 'eu-central-1', keyArn, description: '', tags: {} };
    await Promise.all([call('CopyImageSnapshot', input), call('CopyImageSnapshot', input)]);
    await settled(snapshotId);
    expect(await stack.describeOne(snapshotId)).toMatchObject({ Encrypted: true, KmsKeyId: keyArn });
    await call('CopyImageSnapshot', input);
  });
});

describe('a snapshot that images are made of', () => {
  it('cannot be deleted until they are gone', async () => {
    const id = await ready();
    stack.images.set(id, { imageIds: ['ami-1', 'ami-2'] });
    await expect(call('DeleteSnapshot', { SnapshotId: id })).rejects.toMatchObject({
      code: 'InvalidSnapshot.InUse',
      message: `The snapshot ${id} is currently in use by ami-1, ami-2`,
    });
    stack.images.delete(id);
    await call('DeleteSnapshot', { SnapshotId: id });
    await stack.gone(id);
  });

  it('is seen through an image by whom its owner lets launch, and by nobody else', async () => {
    const id = await ready();
    const seen = (fields = {}) => call<SnapshotRecord | null>('GetSnapshot', { snapshotId: id, ...fields }, BOB);
    stack.images.set(id, { imageIds: ['ami-1'] });
    expect(await seen({ throughImage: 'ami-1' })).toBeNull();
    stack.images.set(id, { imageIds: ['ami-1'], launchableFrom: { ownerId: ACCOUNT } });
    expect(await seen({ throughImage: 'ami-1' })).toMatchObject({ ownerId: ACCOUNT });
    expect(await seen()).toBeNull();
    // An image of somebody else's snapshot gives nobody a right to it.
    stack.images.set(id, { imageIds: ['ami-1'], launchableFrom: { ownerId: '777788889999' } });
    expect(await seen({ throughImage: 'ami-1' })).toBeNull();
    stack.images.delete(id);
  });
});

describe('Amazon’s own snapshot', () => {
  it.each([['unencrypted', false], ['encrypted', true]])('is copied without blocks, %s', async (_name, encrypted) => {
    const { Snapshots } = await stack.describeAll({ OwnerIds: [AMAZON_ACCOUNT_ID] });
    const SourceSnapshotId = Snapshots?.[0]?.SnapshotId;
    const key = encrypted ? { Encrypted: true, KmsKeyId: stack.kms.key() } : {};
    const { SnapshotId } = await stack.copy({ SourceSnapshotId, ...key });
    await settled(SnapshotId);
    expect(await stack.describeOne(SnapshotId ?? '')).toMatchObject({ Encrypted: encrypted, VolumeSize: 8 });
    const made = stack.dataPlane.copies.get(SnapshotId ?? '');
    expect(made).toMatchObject({ sizeGiB: 8 });
    expect(made?.['dataKey'] !== undefined).toBe(encrypted);
    expect(stack.dataPlane.calls).not.toContain('StartSnapshotCopy');
    expect(stack.kms.grants.size).toBe(0);
  }); // prettier-ignore
});
