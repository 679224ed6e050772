import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DataKeyUse, newSnapshotId, newVolumeId, type SnapshotId, type VolumeId } from '@holdfast/contracts';
import { NbdClient } from '@holdfast/nbd/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildDataPlane, removeBundle, TestHost, until } from './testing/harness.ts';

const BLOCK = 524_288;
let bundle: string;
let host: TestHost;
beforeAll(async () => {
  bundle = await buildDataPlane();
  host = new TestHost(bundle);
  await host.start();
});
afterAll(async () => {
  await host.stop();
  removeBundle(bundle);
});

const folder = (snapshotId: string) => join(host.home, 'data-plane', 'snapshots', snapshotId);
const store = () => join(host.home, 'data-plane', 'blocks');
const blockNames = () =>
  readdirSync(store())
    .filter((name) => name.length === 2)
    .flatMap((name) => readdirSync(join(store(), name)).map((file) => name + file));

/** The blocks that a snapshot's index names, as the store names them. */
const blocksOf = (snapshotId: string): string[] => {
  const file = readFileSync(join(folder(snapshotId), 'manifest'));
  const entries = file.subarray(12 + file.readUInt32BE(8), -32);
  const count = entries.length / 36;
  return Array.from({ length: count }, (_, i) => entries.subarray(i * 36 + 4, i * 36 + 36).toString('hex'));
};

const moved = (snapshotId: SnapshotId, to: 'archive' | 'blocks') =>
  until('it is moved', async () => (await host.call('GetArchiveProgress', { snapshotId }))[to]);

const archived = async (snapshotId: SnapshotId) => {
  await host.call('ArchiveSnapshot', { snapshotId });
  await moved(snapshotId, 'archive');
  await host.call('ReleaseArchive', { snapshotId, keep: 'archive' });
};

const restored = async (snapshotId: SnapshotId, volumeId: VolumeId, sourceKey?: DataKeyUse): Promise<NbdClient> => {
  await host.allocate({
    ...{ volumeId, sizeGiB: 1, dataKey: sourceKey, initialized: true },
    source: { snapshotId, dataKey: sourceKey },
  });
  return NbdClient.connect((await host.attach(volumeId, sourceKey)).socketPath);
};

const written = async (content: Buffer, key?: string) => {
  const attached = await host.attached(key === undefined ? {} : { key });
  const client = await NbdClient.connect(attached.socketPath);
  await client.write(0, content);
  await client.flush();
  return { ...attached, client };
};

describe('an archived snapshot', () => {
  it('is one file by itself: its blocks go, and it survives the snapshots it shared them with', async () => {
    const content = randomBytes(3 * BLOCK);
    const { volumeId, client } = await written(content, 'archive-key');
    const parent = await host.snapshot(volumeId);
    await host.settled(parent);
    await client.write(BLOCK, randomBytes(BLOCK));
    const child = await host.snapshot(volumeId);
    await host.settled(child);
    const expected = await client.read(0, 3 * BLOCK);
    const names = blocksOf(child);
    expect(names).toHaveLength(3);
    await archived(child);
    expect(statSync(join(folder(child), 'archive')).size).toBeGreaterThan(3 * BLOCK);
    expect(existsSync(join(folder(child), 'manifest'))).toBe(false);
    await host.call('RemoveSnapshot', { snapshotId: parent });
    await until('the blocks are collected', () => !names.some((name) => blockNames().includes(name)));
    await host.call('RestoreArchive', { snapshotId: child });
    await moved(child, 'blocks');
    await host.call('ReleaseArchive', { snapshotId: child, keep: 'blocks' });
    expect(existsSync(join(folder(child), 'archive'))).toBe(false);
    const key = host.kms.use('archive-key', volumeId);
    const guest = await restored(child, newVolumeId(), key);
    expect((await guest.read(0, 3 * BLOCK)).equals(expected)).toBe(true);
    await Promise.all([client.close(), guest.close()]);
  });

  it('makes no volume, and can be moved again after a restart', async () => {
    const content = randomBytes(BLOCK);
    const { volumeId, client } = await written(content);
    const snapshotId = await host.snapshot(volumeId);
    await host.settled(snapshotId);
    await archived(snapshotId);
    await expect(host.allocate({ volumeId: newVolumeId(), sizeGiB: 1, source: { snapshotId } })).rejects.toMatchObject({
      code: 'SnapshotNotFound',
    });
    // A request to freeze that comes late must not begin the snapshot anew.
    await host.call('FreezeSnapshot', { snapshotId, volumeId });
    await client.close();
    await host.killService('SIGKILL');
    await host.startService();
    await host.call('RestoreArchive', { snapshotId });
    await moved(snapshotId, 'blocks');
    await host.call('ReleaseArchive', { snapshotId, keep: 'archive' });
    await host.call('RestoreArchive', { snapshotId });
    await moved(snapshotId, 'blocks');
    const guest = await restored(snapshotId, newVolumeId());
    expect((await guest.read(0, BLOCK)).equals(content)).toBe(true);
    await guest.close();
  });

  it('is not dropped without the other copy, and a damaged one is told of', async () => {
    const { volumeId, client } = await written(randomBytes(BLOCK));
    const snapshotId = await host.snapshot(volumeId);
    await host.settled(snapshotId);
    const release = (keep: 'archive' | 'blocks') => host.call('ReleaseArchive', { snapshotId, keep });
    await expect(release('archive')).rejects.toMatchObject({ code: 'SnapshotNotFound' });
    await archived(snapshotId);
    await expect(release('blocks')).rejects.toMatchObject({ code: 'SnapshotNotFound' });
    const path = join(folder(snapshotId), 'archive');
    const bytes = readFileSync(path);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(path, bytes);
    await host.call('RestoreArchive', { snapshotId });
    await until(
      'the damage is found',
      async () => (await host.call('GetArchiveProgress', { snapshotId })).failure !== undefined,
    );
    expect((await host.call('GetArchiveProgress', { snapshotId })).blocks).toBe(false);
    await host.call('RemoveSnapshot', { snapshotId });
    await until('the archive is removed', () => !existsSync(folder(snapshotId)));
    await client.close();
  });
});

describe('snapshots of several volumes', () => {
  it('are of one moment: a write that began after another was done is in them only with it', async () => {
    const [first, second] = await Promise.all([written(Buffer.alloc(BLOCK)), written(Buffer.alloc(BLOCK))]);
    let stop = false;
    const writing = (async () => {
      for (let n = 1; !stop; n++) {
        const number = Buffer.alloc(4096);
        number.writeUInt32BE(n);
        await first.client.write(0, number);
        await second.client.write(0, number);
      }
    })();
    const snapshots = [first, second].map(({ volumeId }) => ({ snapshotId: newSnapshotId(), volumeId }));
    await host.call('FreezeSnapshots', { snapshots });
    await host.call('FreezeSnapshots', { snapshots });
    stop = true;
    await writing;
    const numbers = [];
    for (const { snapshotId } of snapshots) {
      await host.settled(snapshotId);
      const guest = await restored(snapshotId, newVolumeId());
      numbers.push((await guest.read(0, 4096)).readUInt32BE());
      await guest.close();
    }
    const [one = 0, two = 0] = numbers;
    expect([0, 1]).toContain(one - two);
    const late = [...snapshots, { snapshotId: newSnapshotId(), volumeId: first.volumeId }];
    await expect(host.call('FreezeSnapshots', { snapshots: late })).rejects.toMatchObject({ code: 'SetIncomplete' });
    // The guests were let go.
    await Promise.all([first, second].map(({ client }) => client.write(0, Buffer.alloc(4096))));
    await Promise.all([first, second].map(({ client }) => client.close()));
  });

  it('are none when one volume is not there', async () => {
    const { volumeId, client } = await written(Buffer.alloc(BLOCK));
    const snapshots = [volumeId, newVolumeId()].map((id) => ({ snapshotId: newSnapshotId(), volumeId: id }));
    await expect(host.call('FreezeSnapshots', { snapshots })).rejects.toMatchObject({ code: 'VolumeNotFound' });
    for (const { snapshotId } of snapshots)
      expect(await host.call('GetSnapshotProgress', { snapshotId })).toMatchObject({ state: 'unknown' });
    await client.write(0, Buffer.alloc(4096));
    await client.close();
  });
});

describe('a copy under another key', () => {
  it('takes over from an earlier copy what did not change', async () => {
    const content = randomBytes(4 * BLOCK);
    const { volumeId, client } = await written(content);
    const first = await host.snapshot(volumeId);
    await host.settled(first);
    const firstCopy = newSnapshotId();
    const dataKey = host.kms.use('copy-key', firstCopy);
    await host.call('StartSnapshotCopy', { snapshotId: firstCopy, source: { snapshotId: first }, dataKey });
    await host.settled(firstCopy);
    await client.write(BLOCK, randomBytes(BLOCK));
    const expected = await client.read(0, 4 * BLOCK);
    const second = await host.snapshot(volumeId);
    await host.settled(second);
    await host.call('RemoveSnapshot', { snapshotId: first });
    const secondCopy = newSnapshotId();
    const source = { snapshotId: second };
    const ownContext = { 'aws:ebs:id': secondCopy };
    const asked = host.kms.asked.length;
    await host.call('StartSnapshotCopy', {
      ...{ snapshotId: secondCopy, source, dataKey, previousCopy: firstCopy, ownContext },
    });
    await host.settled(secondCopy);
    expect(host.kms.asked.slice(asked).map(({ context }) => context)).toEqual([dataKey.encryptionContext]);
    const { dataKey: own } = await host.call('GetSnapshotDataKey', { snapshotId: secondCopy });
    expect(own).toMatchObject({ keyArn: dataKey.keyArn, dataKeyId: dataKey.dataKeyId, encryptionContext: ownContext });
    expect(own?.encryptedDataKey).not.toBe(dataKey.encryptedDataKey);
    expect((await host.call('GetSnapshotDataKey', { snapshotId: second })).dataKey).toBeNull();
    await expect(host.call('GetSnapshotDataKey', { snapshotId: newSnapshotId() })).rejects.toMatchObject({
      code: 'SnapshotNotFound',
    });
    const [of1, of2] = [blocksOf(firstCopy), blocksOf(secondCopy)];
    expect(of2.map((name, block) => name === of1[block])).toEqual([true, false, true, true]);
    await host.call('RemoveSnapshot', { snapshotId: firstCopy });
    const guest = await restored(secondCopy, newVolumeId(), { ...dataKey, ...own });
    expect((await guest.read(0, 4 * BLOCK)).equals(expected)).toBe(true);
    await Promise.all([client.close(), guest.close()]);
  });
});
