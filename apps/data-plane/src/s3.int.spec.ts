import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import {
  BLOCK_SIZE_BYTES,
  claimStore,
  isLoss,
  makeDirectory,
  type ObjectStore,
  openBlockStore,
  openObjects,
  rebuildIndex,
  type S3Settings,
  StoreLayout,
  takeOverStore,
  verifyStore,
} from '@holdfast/block-store';
import { blockStoreSuite, damageInSegment } from '@holdfast/block-store/testing';
import { type DataKeyUse, newSnapshotId, newVolumeId, type SnapshotId } from '@holdfast/contracts';
import { NbdClient } from '@holdfast/nbd/client';
import { resetServices } from '@holdfast/service-kit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { debianTool } from '../../../tools/testing/debian-tools.mjs';
import { type RunningRgw, startRgw } from '../../../tools/testing/rgw.mjs';
import { BlockClient, startUpload } from './testing/block-client.ts';
import { TestAuthority } from './testing/certificates.ts';
import { buildDataPlane, removeBundle, TestHost, until } from './testing/harness.ts';

/** A server that is here and does not start is a failure; one that can't be had here is none. */
const missing = await debianTool('radosgw').then(
  () => null,
  (error: Error) => error.message,
);
if (missing !== null) process.stderr.write(`NOT RUN: a real S3-compatible server, since ${missing}\n`);

/** A real store: Ceph's object gateway. */
let rgw: RunningRgw;
let bundle: string;
let host: TestHost;
let folder: string;
let prefixes = 0;
/** In front of it, with a certificate of an authority that only the host is told of. */
let tls: { server: Server; endpoint: string; authority: TestAuthority };

const BUCKET = 'holdfast-blocks';
const settings = (prefix: string): S3Settings => ({
  ...{ bucket: BUCKET, prefix: `${prefix}/`, endpoint: rgw.endpoint, region: 'us-east-1', pathStyle: true },
  credentialsFile: join(folder, 'credentials'),
});
const objectsOf = (prefix: string): ObjectStore => {
  const objects = openObjects(settings(prefix));
  if (objects === undefined) throw new Error('no object store');
  return objects;
};
const keysOf = async (objects: ObjectStore, under = 'segments/'): Promise<string[]> => {
  const keys = [];
  for await (const { key } of objects.list(under)) keys.push(key);
  return keys;
};

const serveTls = async (): Promise<typeof tls> => {
  const authority = await TestAuthority.create(join(folder, 'authority'));
  const { cert, key } = await authority.issue('store', 'store', 'localhost');
  const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (client) => {
    const upstream = connect(Number(new URL(rgw.endpoint).port), '127.0.0.1');
    client.on('error', () => upstream.destroy()).on('close', () => upstream.destroy());
    upstream.on('error', () => client.destroy()).on('close', () => client.destroy());
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, authority, endpoint: `https://localhost:${String((server.address() as AddressInfo).port)}` };
};

beforeAll(async () => {
  if (missing !== null) return;
  [bundle, rgw] = await Promise.all([buildDataPlane(), startRgw()]);
  const { accessKeyId, secretAccessKey, endpoint } = rgw;
  folder = mkdtempSync(join(tmpdir(), 'holdfast-s3-'));
  const credentials = `[default]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`;
  writeFileSync(join(folder, 'credentials'), credentials);
  chmodSync(join(folder, 'credentials'), 0o600);
  const client = new S3Client({
    ...{ endpoint, region: 'us-east-1', forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } },
  });
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
  client.destroy();
  tls = await serveTls();
  host = new TestHost(bundle, {
    HOLDFAST_BLOCK_STORE: `s3://${BUCKET}/host`,
    HOLDFAST_S3_ENDPOINT: tls.endpoint,
    HOLDFAST_S3_CA_FILE: tls.authority.cert,
    HOLDFAST_S3_CREDENTIALS_FILE: join(folder, 'credentials'),
  });
  await host.start();
}, 300_000);
afterAll(async () => {
  if (missing !== null) return;
  await host.stop();
  tls.server.close();
  await rgw.stop();
  rmSync(folder, { recursive: true, force: true });
  removeBundle(bundle);
});

describe.skipIf(missing !== null)('a real S3-compatible server', () =>
  blockStoreSuite('its segments', async (layout) => {
    const prefix = `suite-${String(prefixes++)}`;
    const objects = objectsOf(prefix);
    await claimStore(objects, layout.claim);
    return {
      objects,
      open: (of) => openBlockStore(of, settings(prefix)),
      damage: (of, digest, how) => damageInSegment(objects, of, digest, how),
    };
  }),
);

describe.skipIf(missing !== null)('its certificate', () => {
  const list = async (caFile: string | undefined) => {
    const objects = openObjects({ ...settings('nothing'), endpoint: tls.endpoint, caFile }, 0);
    return objects === undefined ? [] : keysOf(objects);
  };

  it('is held to the authorities in HOLDFAST_S3_CA_FILE, or to those of the system', async () => {
    expect(await list(tls.authority.cert)).toEqual([]);
    await expect(list(undefined)).rejects.toThrow(/certificate/);
    const other = await TestAuthority.create(join(folder, 'other-authority'));
    await expect(list(other.cert)).rejects.toThrow(/certificate|signature/);
    await expect(list(join(folder, 'no such file'))).rejects.toThrow(/ENOENT/);
  });
});

describe.skipIf(missing !== null)('a host whose blocks are on it', { timeout: 300_000 }, () => {
  const layout = () => new StoreLayout(join(host.home, 'data-plane'));
  const content = randomBytes(20 * BLOCK_SIZE_BYTES);

  const restored = async (snapshotId: SnapshotId, sourceKey: DataKeyUse, key: string, initialized = true) => {
    const volumeId = newVolumeId();
    const dataKey = host.kms.use(key, volumeId);
    await host.allocate({ volumeId, sizeGiB: 1, dataKey, initialized, source: { snapshotId, dataKey: sourceKey } });
    return NbdClient.connect((await host.attach(volumeId, dataKey)).socketPath);
  };
  const expectContent = async (client: NbdClient) => {
    expect((await client.read(0, content.length)).equals(content)).toBe(true);
    await client.close();
  };
  const snapshotOf = async (bytes: Buffer) => {
    const attached = await host.attached({ key: 'a' });
    const client = await NbdClient.connect(attached.socketPath);
    await client.write(0, bytes);
    const snapshotId = await host.snapshot(attached.volumeId);
    return { ...attached, client, snapshotId, dataKey: host.kms.use('a', attached.volumeId) };
  };

  it('takes snapshots there, and makes volumes and copies of them under the same key and another', async () => {
    const { snapshotId, client, dataKey } = await snapshotOf(content);
    expect(await host.settled(snapshotId)).toEqual({ state: 'completed', progress: 100 });
    await client.close();
    const objects = objectsOf('host');
    expect((await keysOf(objects)).length).toBe(1);
    await expectContent(await restored(snapshotId, dataKey, 'a'));
    await expectContent(await restored(snapshotId, dataKey, 'b'));
    const copy = newSnapshotId();
    const copyKey = host.kms.use('c', copy);
    await host.call('StartSnapshotCopy', { snapshotId: copy, source: { snapshotId, dataKey }, dataKey: copyKey });
    expect((await host.settled(copy)).state).toBe('completed');
    await host.call('RemoveSnapshot', { snapshotId });
    await expectContent(await restored(copy, copyKey, 'c'));
    expect((await verifyStore(layout(), objects)).findings.filter(isLoss)).toEqual([]);
    await host.call('ArchiveSnapshot', { snapshotId: copy });
    await until(
      'it is archived',
      async () => (await host.call('GetArchiveProgress', { snapshotId: copy })).archive,
      60_000,
    );
    await host.call('ReleaseArchive', { snapshotId: copy, keep: 'archive' });
    const indexes = () => keysOf(objects, `snapshots/${copy}/`);
    await until('its other index is removed', async () => (await indexes()).join().endsWith('/archive-1-1'), 60_000);
    await until('its blocks alone are left', async () => (await keysOf(objects)).length === 1, 60_000);
    await host.call('RestoreArchive', { snapshotId: copy });
    await until('it is back', async () => (await host.call('GetArchiveProgress', { snapshotId: copy })).blocks, 60_000);
    await expectContent(await restored(copy, copyKey, 'c'));
    await host.call('RemoveSnapshot', { snapshotId: copy });
    await until('its objects are removed', async () => (await keysOf(objects)).length === 0, 60_000);
  });

  it('takes and gives blocks one by one', async () => {
    const snapshotId = newSnapshotId();
    const dataKey = host.kms.use('direct', snapshotId);
    const { client } = await startUpload(host, { snapshotId, dataKey });
    const blocks = Array.from({ length: 12 }, (_, at) => [at * 3, randomBytes(BLOCK_SIZE_BYTES)] as const);
    const answers = await Promise.all(blocks.map(([index, bytes]) => client.put(index, bytes)));
    expect(answers.map(({ code }) => code)).toEqual(blocks.map(() => undefined));
    await host.call('CompleteBlockUpload', { snapshotId, changedBlocksCount: blocks.length });
    expect((await host.settled(snapshotId)).state).toBe('completed');
    const reader = await BlockClient.open(host, { snapshotId, operation: 'get', dataKey });
    for (const [index, bytes] of blocks) expect((await reader.get(index)).body.equals(bytes)).toBe(true);
    await host.call('RemoveSnapshot', { snapshotId });
  });

  it('waits while the server is away: a guest for its blocks, a snapshot for its copy', async () => {
    const { snapshotId, client, dataKey } = await snapshotOf(content);
    expect((await host.settled(snapshotId)).state).toBe('completed');
    await rgw.pause();
    const reader = await restored(snapshotId, dataKey, 'a', false);
    let answered = false;
    const read = reader.read(7 * BLOCK_SIZE_BYTES, 65_536).finally(() => (answered = true));
    await client.write(0, randomBytes(BLOCK_SIZE_BYTES));
    const later = newSnapshotId();
    await host.call('FreezeSnapshot', { snapshotId: later, volumeId: (await attachedOf(dataKey)).volumeId });
    // Longer than requests are repeated before the host says so.
    await until('the host waits', () => host.log.includes('waiting for the block store'), 120_000);
    expect(answered).toBe(false);
    expect((await host.call('GetSnapshotProgress', { snapshotId: later })).state).toBe('copying');
    await rgw.resume();
    expect((await read).equals(content.subarray(7 * BLOCK_SIZE_BYTES, 7 * BLOCK_SIZE_BYTES + 65_536))).toBe(true);
    expect((await host.settled(later)).state).toBe('completed');
    await expectContent(reader);
    await client.close();
    expect((await verifyStore(layout(), objectsOf('host'))).findings.filter(isLoss)).toEqual([]);
  });

  const attachedOf = (dataKey: DataKeyUse) => {
    const [, ebsId] = Object.entries(dataKey.encryptionContext)[0] ?? [];
    const found = host.attachments.find(({ volumeId }) => volumeId === ebsId);
    return found === undefined ? Promise.reject(new Error('it is not attached')) : Promise.resolve(found);
  };

  it('has all snapshots again on a new host, in both tiers', async () => {
    const [one, archived] = [await snapshotOf(content), await snapshotOf(content.subarray(0, BLOCK_SIZE_BYTES))];
    for (const { snapshotId, client } of [one, archived]) {
      expect((await host.settled(snapshotId)).state).toBe('completed');
      await client.close();
    }
    const { snapshotId } = archived;
    await host.call('ArchiveSnapshot', { snapshotId });
    await until('it is archived', async () => (await host.call('GetArchiveProgress', { snapshotId })).archive);
    await host.call('ReleaseArchive', { snapshotId, keep: 'archive' });
    await host.killService('SIGKILL');
    host.attachments = [];
    rmSync(layout().root, { recursive: true, maxRetries: 10 });
    try {
      makeDirectory(layout().root);
      await takeOverStore(objectsOf('host'), layout().claim);
      const { snapshots } = await rebuildIndex(layout(), objectsOf('host'));
      expect(snapshots).toEqual(expect.arrayContaining([one.snapshotId, snapshotId]));
    } finally {
      await host.startService();
    }
    await expectContent(await restored(one.snapshotId, one.dataKey, 'a'));
    await host.call('RestoreArchive', { snapshotId });
    await until('it is back', async () => (await host.call('GetArchiveProgress', { snapshotId })).blocks);
    const client = await restored(snapshotId, archived.dataKey, 'a');
    expect((await client.read(0, BLOCK_SIZE_BYTES)).equals(content.subarray(0, BLOCK_SIZE_BYTES))).toBe(true);
    await client.close();
    expect((await verifyStore(layout(), objectsOf('host'))).findings.filter(isLoss)).toEqual([]);
  });

  it('leaves nothing there but its claim when development starts anew', async () => {
    const { snapshotId, client } = await snapshotOf(content);
    expect((await host.settled(snapshotId)).state).toBe('completed');
    await client.close();
    const objects = objectsOf('host');
    expect(await keysOf(objects, `snapshots/${snapshotId}/`)).toHaveLength(1);
    await resetServices(host.bus.connection, ['data-plane'], 60_000);
    host.attachments = [];
    const all = async () => (await keysOf(objects, '')).join();
    await until('all objects are removed', async () => (await all()) === 'holdfast.json', 60_000);
    expect((await host.call('GetSnapshotProgress', { snapshotId })).state).toBe('unknown');
    const next = await snapshotOf(content);
    expect((await host.settled(next.snapshotId)).state).toBe('completed');
    await next.client.close();
    await expectContent(await restored(next.snapshotId, next.dataKey, 'a'));
  });

  it('keeps ciphertext there, and no secret in its log or home', async () => {
    const { client, volumeId } = await snapshotOf(Buffer.alloc(BLOCK_SIZE_BYTES, 'plain words '));
    // In development mode a volume's store can be taken away, wherever it is.
    await host.call('SetFaults', { volumeId, faults: { seed: 1, storeUnavailable: true } });
    await client.write(BLOCK_SIZE_BYTES, Buffer.alloc(BLOCK_SIZE_BYTES, 'plain words '));
    const snapshotId = await host.snapshot(volumeId);
    await until('the host has tried', () => host.log.includes('the block store is unavailable'), 60_000);
    expect((await host.call('GetSnapshotProgress', { snapshotId })).state).toBe('copying');
    await host.call('SetFaults', { volumeId, faults: null });
    expect((await host.settled(snapshotId)).state).toBe('completed');
    await client.close();
    const objects = objectsOf('host');
    for (const key of await keysOf(objects))
      expect((await objects.get(key, 0, 40_000_000)).includes('plain words')).toBe(false);
    expect(host.log).not.toContain(rgw.secretAccessKey);
    expect(readFileSync(layout().claim, 'utf8')).not.toContain(rgw.secretAccessKey);
  });
});
