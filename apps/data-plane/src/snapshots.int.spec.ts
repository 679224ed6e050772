import { randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DataKeyUse, newSnapshotId, newVolumeId, type SnapshotId } from '@holdfast/contracts';
import { NbdClient } from '@holdfast/nbd/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildDataPlane, removeBundle, TestHost, until } from './testing/harness.ts';
import { lockHolder } from './testing/lock-holder.ts';

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

const blockFiles = (): string[] => {
  const blocks = join(host.home, 'data-plane', 'blocks');
  const folders = readdirSync(blocks).filter((name) => name.length === 2);
  return folders
    .flatMap((folder) => readdirSync(join(blocks, folder)).map((file) => join(blocks, folder, file)))
    .sort();
};

/** The blocks stored since; counts alone would also see the collector take away what earlier tests left. */
const blocksSince = (before: readonly string[]): string[] => {
  const known = new Set(before);
  return blockFiles().filter((file) => !known.has(file));
};

const restored = async (
  snapshotId: SnapshotId,
  sourceKey: DataKeyUse | undefined,
  key: string | undefined,
  sizeGiB = 1,
): Promise<NbdClient> => {
  const volumeId = newVolumeId();
  const dataKey = key === undefined ? undefined : host.kms.use(key, volumeId);
  await host.allocate({ volumeId, sizeGiB, dataKey, source: { snapshotId, dataKey: sourceKey } });
  return NbdClient.connect((await host.attach(volumeId, dataKey)).socketPath);
};

const expectContent = async (client: NbdClient, offset: number, content: Buffer): Promise<void> => {
  expect((await client.read(offset, content.length)).equals(content)).toBe(true);
};

describe('a snapshot', () => {
  it('holds the moment of the freeze, and makes volumes under the same key and another', async () => {
    const { socketPath, volumeId } = await host.attached({ key: 'a' });
    const client = await NbdClient.connect(socketPath);
    const before = randomBytes(3_000_000);
    await client.write(100_000, before);
    const snapshotId = await host.snapshot(volumeId);
    await client.write(100_000, randomBytes(3_000_000));
    expect(await host.settled(snapshotId)).toEqual({ state: 'completed', progress: 100 });
    for (const key of ['a', 'b']) {
      const reader = await restored(snapshotId, host.kms.use('a', volumeId), key, 2);
      expect(reader.sizeBytes).toBe(2 * 1_073_741_824);
      await expectContent(reader, 100_000, before);
      await expectContent(reader, 0, Buffer.alloc(100_000));
      await expectContent(reader, 1_073_741_824, Buffer.alloc(100_000));
      await reader.close();
    }
    await client.close();
  });

  it('is one moment while a guest writes as fast as it can', async () => {
    const { socketPath, volumeId } = await host.attached({ key: 'a' });
    const client = await NbdClient.connect(socketPath);
    const units = 24 * (BLOCK / 4096);
    // One write at a time, each with its number, round and round: a moment is a prefix of the writes.
    let acknowledged = 0;
    let writing = true;
    const writer = (async () => {
      for (let number = 1; writing; number++) {
        const unit = Buffer.alloc(4096, number & 0xff);
        unit.writeUInt32BE(number, 0);
        await client.write(((number * 37) % units) * 4096, unit);
        acknowledged = number;
      }
    })();
    await until('some blocks are full', () => acknowledged > units);
    const moments: { snapshotId: SnapshotId; from: number; to: number }[] = [];
    for (let round = 0; round < 3; round++) {
      const from = acknowledged;
      const snapshotId = await host.snapshot(volumeId);
      moments.push({ snapshotId, from, to: acknowledged + 1 });
      const goal = acknowledged + 2000;
      await until('the guest has written more', () => acknowledged > goal);
    }
    for (const { snapshotId } of moments) expect((await host.settled(snapshotId)).state).toBe('completed');
    writing = false;
    await writer;
    for (const { snapshotId, from, to } of moments) {
      const reader = await restored(snapshotId, host.kms.use('a', volumeId), 'a');
      const content = await reader.read(0, units * 4096);
      const numbers = Array.from({ length: units }, (_, unit) => content.readUInt32BE(unit * 4096));
      const last = Math.max(...numbers);
      expect(last).toBeGreaterThanOrEqual(from);
      expect(last).toBeLessThanOrEqual(to);
      for (let number = last; number > last - units; number--) {
        const unit = (number * 37) % units;
        expect(numbers[unit], `unit ${unit} of ${snapshotId}`).toBe(number);
        expect(content.subarray(unit * 4096 + 4, (unit + 1) * 4096).equals(Buffer.alloc(4092, number & 0xff))).toBe(
          true,
        );
      }
      await reader.close();
    }
    await client.close();
  });

  it('stores only what changed since the one before', async () => {
    const { socketPath, volumeId } = await host.attached({ key: 'inc' });
    const client = await NbdClient.connect(socketPath);
    const content = randomBytes(8 * BLOCK);
    await client.write(0, content);
    const earlier = blockFiles();
    const first = await host.snapshot(volumeId);
    await host.settled(first);
    const before = blockFiles();
    const ofFirst = blocksSince(earlier);
    content.fill(7, 5 * BLOCK, 5 * BLOCK + 10);
    await client.write(5 * BLOCK, content.subarray(5 * BLOCK, 5 * BLOCK + 10));
    const second = await host.snapshot(volumeId);
    await host.settled(second);
    expect(blocksSince(before)).toHaveLength(1);
    // Removing the parent takes nothing away from the child.
    await host.call('RemoveSnapshot', { snapshotId: first });
    expect(await host.call('GetSnapshotProgress', { snapshotId: first })).toEqual({ state: 'unknown', progress: 0 });
    await until('the replaced block is collected', () => {
      const left = new Set(blockFiles());
      return ofFirst.filter((file) => left.has(file)).length === ofFirst.length - 1;
    });
    const reader = await restored(second, host.kms.use('inc', volumeId), 'inc');
    await expectContent(reader, 0, content);
    await reader.close();
    await client.close();
  });

  it('needs no key', async () => {
    const { socketPath, volumeId, instanceId } = await host.attached({ key: 'asleep' });
    const client = await NbdClient.connect(socketPath);
    await client.write(0, randomBytes(BLOCK));
    await client.close();
    await host.call('CloseExport', { volumeId, instanceId });
    host.kms.disabled.add('asleep');
    const snapshotId = await host.snapshot(volumeId);
    expect((await host.settled(snapshotId)).state).toBe('completed');
    expect(await host.call('FreezeSnapshot', { snapshotId, volumeId })).toEqual({});
    await until('nothing has the volume open', () => Number.isNaN(lockHolder(host.home, volumeId)));
  });

  it('is completed before its volume can be removed', async () => {
    let refused = 0;
    // Now and then the snapshot is completed before anybody asks to remove its volume.
    for (let tries = 0; tries < 10 && refused === 0; tries++) {
      const { socketPath, volumeId, instanceId } = await host.attached({ key: 'a' });
      const client = await NbdClient.connect(socketPath);
      const content = randomBytes(30 * BLOCK);
      await client.write(0, content);
      await client.close();
      const snapshotId = await host.snapshot(volumeId);
      await host.call('CloseExport', { volumeId, instanceId });
      await until('the volume is removed', async () => {
        const answer = await host.call('RemoveVolume', { volumeId }).catch((error: { code: string }) => error.code);
        refused += answer === 'VolumeBusy' ? 1 : 0;
        return answer !== 'VolumeBusy';
      });
      expect((await host.settled(snapshotId)).state).toBe('completed');
      const reader = await restored(snapshotId, host.kms.use('a', volumeId), 'a');
      await expectContent(reader, 0, content);
      await reader.close();
    }
    expect(refused).toBeGreaterThan(0);
  });

  it('is refused for a volume that is not here', async () => {
    const missing = host.call('FreezeSnapshot', { snapshotId: newSnapshotId(), volumeId: newVolumeId() });
    await expect(missing).rejects.toMatchObject({ code: 'VolumeNotFound' });
  });

  it('is served no damaged block', async () => {
    const { socketPath, volumeId } = await host.attached({ key: 'dmg' });
    const known = new Set(blockFiles());
    const client = await NbdClient.connect(socketPath);
    await client.write(0, randomBytes(BLOCK));
    const snapshotId = await host.snapshot(volumeId);
    await host.settled(snapshotId);
    await client.close();
    const [path] = blockFiles().filter((file) => !known.has(file));
    const bytes = readFileSync(path!);
    bytes[1000]! ^= 1;
    writeFileSync(path!, bytes);
    const reader = await restored(snapshotId, host.kms.use('dmg', volumeId), 'dmg');
    await expect(reader.read(0, 4096)).rejects.toThrow();
    await expectContent(reader, BLOCK, Buffer.alloc(4096));
    await reader.close();
    const volume = newVolumeId();
    const source = { snapshotId, dataKey: host.kms.use('dmg', volumeId) };
    const another = { volumeId: volume, sizeGiB: 1, dataKey: host.kms.use('a', volume), source };
    // Waiting would not mend it.
    const damaged = expect(host.allocate(another)).rejects.toMatchObject({ code: 'SnapshotDamaged' });
    const fast = newVolumeId();
    const same = { volumeId: fast, sizeGiB: 1, dataKey: host.kms.use('dmg', fast), source, initialized: true };
    await host.allocate(same);
    await damaged;
  });
});

describe('a restored volume', () => {
  it('is there at once and stands on its own soon after', async () => {
    const { socketPath, volumeId } = await host.attached({ key: 'lazy' });
    const client = await NbdClient.connect(socketPath);
    const content = randomBytes(60 * BLOCK);
    for (let block = 0; block < 60; block += 20) {
      await client.write(block * BLOCK, content.subarray(block * BLOCK, (block + 20) * BLOCK));
    }
    const snapshotId = await host.snapshot(volumeId);
    await host.settled(snapshotId);
    await client.close();
    const restoredId = newVolumeId();
    const dataKey = host.kms.use('lazy', restoredId);
    const source = { snapshotId, dataKey: host.kms.use('lazy', volumeId) };
    const askedBefore = host.kms.asked.length;
    await host.allocate({ volumeId: restoredId, sizeGiB: 1, dataKey, source });
    expect(host.kms.asked.length).toBe(askedBefore); // Nobody has been granted Decrypt for it yet.
    const paths = join(host.home, 'data-plane', 'volumes', restoredId);
    const { socketPath: path } = await host.attach(restoredId, dataKey);
    const reader = await NbdClient.connect(path);
    await reader.write(59 * BLOCK + 5, Buffer.from('new'));
    content.write('new', 59 * BLOCK + 5);
    await expectContent(reader, 58 * BLOCK, content.subarray(58 * BLOCK));
    // The snapshot may go: what the volume still needs of it stays.
    await host.call('RemoveSnapshot', { snapshotId });
    await until('every block has come', () => !existsSync(join(paths, 'source')));
    for (let block = 0; block < 60; block += 20) {
      await expectContent(reader, block * BLOCK, content.subarray(block * BLOCK, (block + 20) * BLOCK));
    }
    await reader.close();
  });

  it('is encrypted when its snapshot is not, and never the other way round', async () => {
    const { socketPath, volumeId } = await host.attached();
    const client = await NbdClient.connect(socketPath);
    const content = randomBytes(2 * BLOCK);
    await client.write(12_345, content);
    const snapshotId = await host.snapshot(volumeId);
    await host.settled(snapshotId);
    await client.close();
    const reader = await restored(snapshotId, undefined, 'a');
    await expectContent(reader, 12_345, content);
    await expectContent(reader, 10 * BLOCK, Buffer.alloc(BLOCK));
    await reader.close();
    const encrypted = await host.attached({ key: 'a' });
    const secret = await host.snapshot(encrypted.volumeId);
    await host.settled(secret);
    const source = { snapshotId: secret, dataKey: host.kms.use('a', encrypted.volumeId) };
    const downgrade = host.allocate({ volumeId: newVolumeId(), sizeGiB: 1, source });
    await expect(downgrade).rejects.toMatchObject({ code: 'EncryptionMismatch' });
    const missing = { snapshotId: newSnapshotId() };
    const nothing = host.allocate({ volumeId: newVolumeId(), sizeGiB: 1, source: missing });
    await expect(nothing).rejects.toMatchObject({ code: 'SnapshotNotFound' });
  });
});

describe('a copy of a snapshot', () => {
  const snapshotOf = async (key: string, content: Buffer) => {
    const { socketPath, volumeId } = await host.attached({ key });
    const client = await NbdClient.connect(socketPath);
    await client.write(4096, content);
    const snapshotId = await host.snapshot(volumeId);
    await host.settled(snapshotId);
    await client.close();
    return { snapshotId, dataKey: host.kms.use(key, volumeId) };
  };

  it('shares its blocks under the same data key, and has its own under another', async () => {
    const content = randomBytes(3 * BLOCK);
    const source = await snapshotOf('cp', content);
    const before = blockFiles();
    const [same, other] = [newSnapshotId(), newSnapshotId()];
    await host.call('StartSnapshotCopy', { snapshotId: same, source, dataKey: host.kms.use('cp', same) });
    expect((await host.settled(same)).state).toBe('completed');
    expect(blocksSince(before)).toEqual([]);
    const copy = { snapshotId: other, source, dataKey: host.kms.use('cp2', other) };
    for (let times = 0; times < 2; times++) await host.call('StartSnapshotCopy', copy);
    expect((await host.settled(other)).state).toBe('completed');
    expect(blocksSince(before)).toHaveLength(4); // Three blocks and the rest of a fourth.
    await host.call('RemoveSnapshot', { snapshotId: source.snapshotId });
    for (const [snapshotId, key] of [
      [same, 'cp'],
      [other, 'cp2'],
    ] as const) {
      const reader = await restored(snapshotId, host.kms.use(key, snapshotId), key);
      await expectContent(reader, 4096, content);
      await reader.close();
    }
  });

  it('fails in the words of AWS when a key can not be used or the source is not there', async () => {
    const source = await snapshotOf('cp', randomBytes(BLOCK));
    const [snapshotId, second] = [newSnapshotId(), newSnapshotId()];
    const dataKey = host.kms.use('cp-off', snapshotId);
    host.kms.disabled.add('cp-off');
    await host.call('StartSnapshotCopy', { snapshotId, source, dataKey });
    const failed = { state: 'failed', progress: 0 };
    expect(await host.settled(snapshotId)).toEqual({ ...failed, reason: 'Given key ID is not accessible' });
    const gone = { ...source, snapshotId: newSnapshotId() };
    await host.call('StartSnapshotCopy', { snapshotId: second, source: gone, dataKey });
    expect(await host.settled(second)).toEqual({ ...failed, reason: 'Source snapshot is not found' });
  });
});

describe('what the data plane finds damaged', () => {
  it('is never taken for good: a cut and an altered block index', async () => {
    const { volumeId } = await host.attached({ key: 'a' });
    const snapshotId = await host.snapshot(volumeId);
    await host.settled(snapshotId);
    const manifest = join(host.home, 'data-plane', 'snapshots', snapshotId, 'manifest');
    const original = readFileSync(manifest);
    expect(statSync(manifest).mode & 0o777).toBe(0o600);
    appendFileSync(manifest, 'x');
    const damaged = { code: 'SnapshotDamaged' };
    const source = { snapshotId, dataKey: host.kms.use('a', volumeId) };
    const volume = newVolumeId();
    const dataKey = host.kms.use('a', volume);
    await expect(host.allocate({ volumeId: volume, sizeGiB: 1, dataKey, source })).rejects.toMatchObject(damaged);
    writeFileSync(manifest, original.subarray(0, -1));
    await expect(host.allocate({ volumeId: volume, sizeGiB: 1, dataKey, source })).rejects.toMatchObject(damaged);
    writeFileSync(manifest, original);
    await host.allocate({ volumeId: volume, sizeGiB: 1, dataKey, source });
  });
});
