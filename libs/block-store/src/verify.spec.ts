import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeArchive } from './archive.ts';
import { BackgroundWork } from './background.ts';
import { blockPath } from './block-index.ts';
import { digestOfSync, FolderBlockStore } from './block-store.ts';
import { BLOCK_SIZE_BYTES } from './geometry.ts';
import { GuestDevice } from './guest-device.ts';
import { StoreLayout } from './layout.ts';
import { Manifest } from './manifest.ts';
import { isLoss, verifyStore } from './verify.ts';
import { VolumeFile } from './volume-file.ts';
import { createEmptyVolume } from './volume-header.ts';

const VOLUME = 'vol-00000001';
const [FIRST, SECOND] = ['snap-00000001', 'snap-00000002'];
let layout: StoreLayout;
let volume: VolumeFile;
let device: GuestDevice;

const snapshot = async (snapshotId: string) => {
  await volume.freeze({ snapshotId, sizeGiB: 1, dataKey: null });
  const work = new BackgroundWork(volume, new AbortController().signal);
  while (work.isNeeded) await work.step();
};
const digests = (snapshotId: string) => [...Manifest.read(layout.snapshot(snapshotId).manifest)].map(([, d]) => d);
const fileOf = (digest: Buffer) => join(layout.blocks, blockPath(digest).folder, blockPath(digest).file);
const verify = async () => {
  const { findings, ...counts } = await verifyStore(layout);
  return { counts, findings: findings.map(({ kind, subject, owners }) => ({ kind, subject, owners: [...owners] })) };
};

beforeEach(async () => {
  layout = new StoreLayout(mkdtempSync(join(tmpdir(), 'holdfast-verify-')));
  const store = new FolderBlockStore(layout.blocks);
  createEmptyVolume(layout, { format: 1, volumeId: VOLUME, sizeGiB: 1, dataKey: null, sourceSnapshotId: null });
  volume = new VolumeFile({ layout, volumeId: VOLUME, sizeGiB: 1, store });
  device = new GuestDevice(volume, null);
  // Three blocks; the second snapshot shares two of them.
  await device.write(0, randomBytes(3 * BLOCK_SIZE_BYTES));
  await snapshot(FIRST);
  await device.write(BLOCK_SIZE_BYTES, randomBytes(BLOCK_SIZE_BYTES));
  await snapshot(SECOND);
});
afterEach(() => {
  volume.close();
  rmSync(layout.root, { recursive: true });
});

describe('verifying a store', () => {
  it('finds nothing wrong with one that is whole, and says how much it looked at', async () => {
    const counts = { blocks: 4, references: 6, snapshots: 2, volumes: 1 };
    expect(await verify()).toEqual({ counts, findings: [] });
  });

  it('finds a damaged block and a missing one, and who needs them', async () => {
    const [shared, firstOnly] = digests(FIRST) as [Buffer, Buffer, Buffer];
    const bytes = readFileSync(fileOf(shared));
    bytes[BLOCK_SIZE_BYTES - 1]! ^= 1;
    writeFileSync(fileOf(shared), bytes);
    rmSync(fileOf(firstOnly));
    const expected = [
      { kind: 'block-damaged', subject: shared.toString('hex'), owners: [FIRST, SECOND] },
      { kind: 'block-missing', subject: firstOnly.toString('hex'), owners: [FIRST] },
    ];
    const { findings } = await verify();
    expect(findings).toHaveLength(2);
    expect(findings).toEqual(expect.arrayContaining(expected));
  });

  it('finds a block that was cut short', async () => {
    const [shared] = digests(SECOND) as [Buffer, Buffer, Buffer];
    truncateSync(fileOf(shared), 4_096);
    expect((await verify()).findings).toMatchObject([{ kind: 'block-damaged', subject: shared.toString('hex') }]);
  });

  it('tells strays and blocks that nothing names apart from damage, and leaves what is young alone', async () => {
    const bytes = randomBytes(BLOCK_SIZE_BYTES);
    const orphan = digestOfSync(bytes);
    await new FolderBlockStore(layout.blocks).put(orphan, bytes);
    const stray = join(layout.volume(VOLUME).folder, 'notes.txt');
    const inBlocks = join(layout.blocks, 'README');
    for (const path of [stray, inBlocks]) writeFileSync(path, 'x');
    const soon = new Date(Date.now() + 60_000);
    for (const path of [stray, inBlocks, fileOf(orphan)]) utimesSync(path, soon, soon);
    expect((await verify()).findings).toEqual([]);
    for (const path of [stray, inBlocks, fileOf(orphan)]) utimesSync(path, 1, 1);
    const { findings } = await verifyStore(layout);
    expect(findings.map(({ kind, subject }) => [kind, subject]).sort()).toEqual([
      ['stray-file', inBlocks],
      ['stray-file', stray],
      ['unreferenced-block', orphan.toString('hex')],
    ]);
    expect(findings.some(isLoss)).toBe(false);
  });

  it('finds damaged and exchanged block indexes', async () => {
    const [first, second] = [layout.snapshot(FIRST).manifest, layout.snapshot(SECOND).manifest];
    copyFileSync(second, first);
    expect((await verify()).findings).toContainEqual({ kind: 'index-damaged', subject: first, owners: [FIRST] });
    truncateSync(second, 100);
    expect((await verify()).findings).toContainEqual({ kind: 'index-damaged', subject: second, owners: [SECOND] });
  });

  it('holds volumes to their headers', async () => {
    const { header, data, map } = layout.volume(VOLUME);
    truncateSync(data, BLOCK_SIZE_BYTES);
    expect((await verify()).findings).toEqual([{ kind: 'volume-damaged', subject: data, owners: [VOLUME] }]);
    truncateSync(data, 1_073_741_824);
    rmSync(map);
    expect((await verify()).findings).toEqual([{ kind: 'volume-damaged', subject: map, owners: [VOLUME] }]);
    writeFileSync(header, '{');
    expect((await verify()).findings).toEqual([{ kind: 'volume-damaged', subject: header, owners: [VOLUME] }]);
  });

  it('reads archives', async () => {
    const paths = layout.snapshot(FIRST);
    const work = { signal: new AbortController().signal, onProgress: () => undefined };
    await writeArchive(paths, readFileSync(paths.manifest), new FolderBlockStore(layout.blocks), work);
    expect((await verify()).findings).toEqual([]);
    const bytes = readFileSync(paths.archive);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(paths.archive, bytes);
    expect((await verify()).findings).toEqual([{ kind: 'archive-damaged', subject: paths.archive, owners: [FIRST] }]);
    truncateSync(paths.archive, bytes.length - 5);
    expect((await verify()).findings).toMatchObject([{ kind: 'archive-damaged' }]);
  });

  it('finds nothing wrong while writes, snapshots and removals go on', async () => {
    let running = true;
    const life = (async () => {
      for (let next = 3; running; next++) {
        await device.write((next % 40) * BLOCK_SIZE_BYTES, randomBytes(BLOCK_SIZE_BYTES));
        await snapshot(`snap-${String(next).padStart(8, '0')}`);
        if (next > 5) rmSync(layout.snapshot(`snap-${String(next - 2).padStart(8, '0')}`).folder, { recursive: true });
      }
    })();
    for (let round = 0; round < 5; round++) expect((await verify()).findings.filter(({ kind }) => kind !== 'unreferenced-block')).toEqual([]); // prettier-ignore
    running = false;
    await life;
  });
});
