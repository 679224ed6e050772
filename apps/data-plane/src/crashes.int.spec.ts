import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { newSnapshotId, newVolumeId, type VolumeId } from '@holdfast/contracts';
import { NbdClient } from '@holdfast/nbd/client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildDataPlane, removeBundle, TestHost, until } from './testing/harness.ts';
import { lockHolder } from './testing/lock-holder.ts';

const BLOCK = 524_288;
const UNITS = 16 * (BLOCK / 4096);
let bundle: string;
let host: TestHost;
beforeEach(async () => {
  bundle = await buildDataPlane();
  host = new TestHost(bundle);
  await host.start();
});
afterEach(async () => {
  await host.stop();
  removeBundle(bundle);
});

/** Of the block host that has the volume open; NaN between two of them. */
const hostPid = (volumeId: VolumeId): number => lockHolder(host.home, volumeId);

/** Connects again and again to one path, as a guest's initiator does. */
const reconnect = async (socketPath: string): Promise<NbdClient> => {
  let client: NbdClient | undefined;
  await until(`someone serves ${socketPath} again`, async () => {
    client = await NbdClient.connect(socketPath).catch(() => undefined);
    return client !== undefined;
  });
  return client!;
};

/** A guest that writes numbered units, several at once, over any number of connections. */
class Guest {
  /** By unit: the number last acknowledged. */
  readonly acknowledged = new Map<number, number>();
  /** By unit: the number last sent, which may or may not be there. */
  readonly sent = new Map<number, number>();
  count = 0;
  reconnections = 0;
  #running = true;
  readonly #done: Promise<unknown>;

  constructor(
    private readonly socketPath: string,
    writers: number,
  ) {
    this.#done = Promise.all(Array.from({ length: writers }, (_, place) => this.#write(place, writers)));
    this.#done.catch(() => undefined); // Of a test that failed; others stop their guest.
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#done;
  }

  async verify(): Promise<void> {
    const client = await reconnect(this.socketPath);
    for (const [unit, number] of this.acknowledged) {
      const found = (await client.read(unit * 4096, 4096)).readUInt32BE(0);
      expect([number, this.sent.get(unit)], `unit ${unit}`).toContain(found);
    }
    await client.close();
  }

  /** Each writer has units of its own. */
  async #write(place: number, writers: number): Promise<void> {
    let client = await reconnect(this.socketPath);
    for (let number = 1; this.#running; number++) {
      const unit = ((number * 31) % (UNITS / writers)) * writers + place;
      const data = Buffer.alloc(4096, number & 0xff);
      data.writeUInt32BE(number, 0);
      this.sent.set(unit, number);
      try {
        await client.write(unit * 4096, data);
        this.acknowledged.set(unit, number);
        this.count++;
      } catch {
        this.reconnections++;
        client = await reconnect(this.socketPath);
      }
    }
    await client.close();
  }
}

const written = (guest: Guest, more: number) => {
  const goal = guest.count + more;
  return until('the guest has written more', () => guest.count >= goal);
};

describe('kill -9 of a block host', () => {
  it('loses no acknowledged write; clients connect to the same path again', async () => {
    const { socketPath, volumeId } = await host.attached({ key: 'a' });
    const guest = new Guest(socketPath, 4);
    for (let round = 0; round < 3; round++) {
      await written(guest, 500);
      const pid = hostPid(volumeId);
      process.kill(pid, 'SIGKILL');
      const isAnother = (found: number) => !Number.isNaN(found) && found !== pid;
      await until('another process serves', () => existsSync(socketPath) && isAnother(hostPid(volumeId)));
    }
    await written(guest, 500);
    await guest.stop();
    expect(guest.reconnections).toBeGreaterThanOrEqual(3);
    await guest.verify();
  });

  it('while it copies a snapshot loses nothing of it', async () => {
    const { socketPath, volumeId } = await host.attached({ key: 'a' });
    const client = await NbdClient.connect(socketPath);
    const content = randomBytes(40 * BLOCK);
    for (let at = 0; at < content.length; at += 10 * BLOCK)
      await client.write(at, content.subarray(at, at + 10 * BLOCK));
    const snapshotId = await host.snapshot(volumeId);
    await client.close();
    const guest = new Guest(socketPath, 2);
    for (let round = 0; round < 3; round++) {
      await written(guest, 100);
      const pid = hostPid(volumeId);
      process.kill(pid, 'SIGKILL');
      await until('another process serves', () => hostPid(volumeId) !== pid);
    }
    expect((await host.settled(snapshotId)).state).toBe('completed');
    await guest.stop();
    await guest.verify();
    const restoredId = newVolumeId();
    const dataKey = host.kms.use('a', restoredId);
    const source = { snapshotId, dataKey: host.kms.use('a', volumeId) };
    await host.allocate({ volumeId: restoredId, sizeGiB: 1, dataKey, source });
    const reader = await NbdClient.connect((await host.attach(restoredId, dataKey)).socketPath);
    for (let at = 0; at < content.length; at += 10 * BLOCK) {
      expect((await reader.read(at, 10 * BLOCK)).equals(content.subarray(at, at + 10 * BLOCK))).toBe(true);
    }
    await reader.close();
  });
});

describe('kill -9 of the service', () => {
  it('ends its block hosts; once it is started again, the exports are where they were and nothing is lost', async () => {
    const { socketPath, volumeId } = await host.attached({ key: 'a' });
    const plain = await host.attached();
    const guests = [new Guest(socketPath, 2), new Guest(plain.socketPath, 1)];
    for (let round = 0; round < 2; round++) {
      for (const guest of guests) await written(guest, 300);
      const pid = hostPid(volumeId);
      await host.killService('SIGKILL');
      await until('the block host has ended', () => !existsSync(`/proc/${pid}`));
      await host.startService();
      for (const guest of guests) await written(guest, 300);
    }
    for (const guest of guests) {
      await guest.stop();
      expect(guest.reconnections).toBeGreaterThan(0);
      await guest.verify();
    }
  });

  it('in the middle of a copy under another key, of a restore and of a freeze: all are finished', async () => {
    const { socketPath, volumeId } = await host.attached({ key: 'a' });
    const client = await NbdClient.connect(socketPath);
    const content = randomBytes(48 * BLOCK);
    for (let at = 0; at < content.length; at += 16 * BLOCK)
      await client.write(at, content.subarray(at, at + 16 * BLOCK));
    const source = { snapshotId: await host.snapshot(volumeId), dataKey: host.kms.use('a', volumeId) };
    await host.settled(source.snapshotId);
    const restoredId = newVolumeId();
    const dataKey = host.kms.use('b', restoredId);
    const allocation = { volumeId: restoredId, sizeGiB: 1, dataKey, source };
    let [copyId, second] = [newSnapshotId(), newSnapshotId()];
    await client.close();
    for (let isCaught = false; !isCaught;) {
      const writer = await reconnect(socketPath);
      copyId = newSnapshotId();
      await host.call('StartSnapshotCopy', { snapshotId: copyId, source, dataKey: host.kms.use('c', copyId) });
      await writer.write(0, randomBytes(BLOCK));
      second = await host.snapshot(volumeId);
      host.call('AllocateVolume', allocation).catch(() => undefined);
      const copy = join(host.home, 'data-plane', 'snapshots', copyId);
      await until('the copy has begun', () => existsSync(join(copy, 'journal')));
      await host.killService('SIGKILL');
      isCaught = !existsSync(join(copy, 'manifest')); // Else it was done before the signal came.
      await writer.close();
      await host.startService();
    }
    expect((await host.settled(copyId)).state).toBe('completed');
    expect((await host.settled(second)).state).toBe('completed');
    await host.allocate(allocation);
    const fromCopy = newVolumeId();
    const copyKey = host.kms.use('c', fromCopy);
    const copySource = { snapshotId: copyId, dataKey: host.kms.use('c', copyId) };
    await host.allocate({ volumeId: fromCopy, sizeGiB: 1, dataKey: copyKey, source: copySource });
    for (const [id, key] of [
      [restoredId, dataKey],
      [fromCopy, copyKey],
    ] as const) {
      const reader = await NbdClient.connect((await host.attach(id, key)).socketPath);
      for (let at = 0; at < content.length; at += 16 * BLOCK) {
        expect(
          (await reader.read(at, 16 * BLOCK)).equals(content.subarray(at, at + 16 * BLOCK)),
          `${id} at ${at}`,
        ).toBe(true);
      }
      await reader.close();
    }
  });

  it('with a key disabled meanwhile: the export opens once the key works again', async () => {
    const { socketPath } = await host.attached({ key: 'k' });
    await host.killService('SIGKILL');
    host.kms.disabled.add('k');
    await host.startService();
    await until('it has tried', () => host.log.includes('cannot open an export again yet'));
    expect(existsSync(socketPath)).toBe(false);
    host.kms.disabled.delete('k');
    await (await reconnect(socketPath)).close();
  });
});
