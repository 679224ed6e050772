// What a snapshot and a restore cost, at the block store: no service, no key, files on tmpfs where there is one.
import { setTimeout as sleep } from 'node:timers/promises';
import { accessSync, constants, mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createHash, randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BackgroundWork,
  BLOCK_SIZE_BYTES,
  createEmptyVolume,
  createRestoredVolume,
  FolderBlockStore,
  GIB,
  GuestDevice,
  Manifest,
  StoreLayout,
  VolumeFile,
} from '@holdfast/block-store';
import { median } from './median.ts';
import type { Row } from './row.ts';

const ROUNDS = 5;
/** Twice as much lies on tmpfs meanwhile, and the ratio is the same. */
const SIZE_GIB = Number(process.env['HOLDFAST_BENCH_SNAPSHOT_GIB'] ?? 1);
const BLOCKS = (SIZE_GIB * GIB) / BLOCK_SIZE_BYTES;
const FEW = Math.ceil(BLOCKS / 100);
/** Blocks of the snapshots that volumes are made from: few, in a small one as in a large one. */
const SPARSE_BLOCKS = 64;

const newId = (prefix: string) => `${prefix}-0${randomBytes(8).toString('hex')}`;

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const began = performance.now();
  await work();
  return performance.now() - began;
};

/** Milliseconds from the freeze of a volume with so many changed blocks until its snapshot is complete. */
const snapshotCost = async (volume: VolumeFile, changed: number): Promise<number> => {
  const device = new GuestDevice(volume, null);
  for (let block = 0; block < changed; block++) {
    // Other bytes each time, or the store would have them already.
    const at = Math.floor((block * BLOCKS) / changed) * BLOCK_SIZE_BYTES;
    await device.write(at, randomBytes(BLOCK_SIZE_BYTES));
  }
  await volume.flush();
  // Nobody's guest is busy any more, as background work sees it.
  await sleep(volume.lastAccessMs + 150 - performance.now());
  return timed(async () => {
    await volume.freeze({ snapshotId: newId('snap'), sizeGiB: SIZE_GIB, dataKey: null });
    const background = new BackgroundWork(volume, new AbortController().signal);
    while (background.isNeeded) await background.step();
  });
};

const newVolume = (layout: StoreLayout): VolumeFile => {
  const volumeId = newId('vol');
  createEmptyVolume(layout, { format: 1, volumeId, sizeGiB: SIZE_GIB, dataKey: null, sourceSnapshotId: null });
  return new VolumeFile({ layout, volumeId, sizeGiB: SIZE_GIB, store: new FolderBlockStore(layout.blocks) });
};

/** Milliseconds until a volume from a snapshot of this size is open and its first block was read. */
const restoreTime = async (layout: StoreLayout, sizeGiB: number): Promise<number> => {
  const store = new FolderBlockStore(layout.blocks);
  const snapshotId = newId('snap');
  const bytes = randomBytes(BLOCK_SIZE_BYTES);
  const digest = createHash('sha256').update(bytes).digest();
  await store.put(digest, bytes);
  const { folder, manifest } = layout.snapshot(snapshotId);
  mkdirSync(folder, { recursive: true });
  const spread = (sizeGiB * GIB) / BLOCK_SIZE_BYTES / SPARSE_BLOCKS;
  const blocks = Array.from({ length: SPARSE_BLOCKS }, (_, at) => [at * spread, digest] as const);
  Manifest.of({ snapshotId, sizeGiB, dataKey: null, parentSnapshotId: null }, blocks).write(manifest);
  const volumeId = newId('vol');
  let volume: VolumeFile | undefined;
  const elapsed = await timed(async () => {
    createRestoredVolume(layout, { format: 1, volumeId, sizeGiB, dataKey: null, sourceSnapshotId: snapshotId }, manifest);
    volume = new VolumeFile({ layout, volumeId, sizeGiB, store });
    await new GuestDevice(volume, null).read(0, Buffer.alloc(4096));
  }); // prettier-ignore
  volume?.close();
  return elapsed;
};

export const snapshotRows = async (): Promise<Row[]> => {
  const folder = await mkdtemp(join(isWritable('/dev/shm') ? '/dev/shm' : tmpdir(), 'holdfast-bench-'));
  try {
    const layout = new StoreLayout(folder);
    const restores: { large: number; small: number }[] = [];
    for (let round = 0; round < 3 * ROUNDS; round++) {
      const small = await restoreTime(layout, 1);
      restores.push({ large: await restoreTime(layout, 64), small });
    }
    const volume = newVolume(layout);
    const whole = await snapshotCost(volume, BLOCKS);
    const part = median([await snapshotCost(volume, FEW), await snapshotCost(volume, FEW), await snapshotCost(volume, FEW)]);
    volume.close();
    return [
      {
        figure: 'time to a volume from a sparse 64 GiB snapshot, its first block read',
        value: `${median(restores.map(({ large }) => large)).toFixed(1)} ms`,
        yardstick: `${median(restores.map(({ small }) => small)).toFixed(1)} ms from one of 1 GiB`,
        ratio: median(restores.map(({ large, small }) => large / small)),
        target: 1.3,
        aim: 1,
        isAtMost: true,
      },
      {
        figure: `snapshot of ${String(SIZE_GIB)} GiB, 1 % changed`,
        value: `${part.toFixed(0)} ms`,
        yardstick: `${whole.toFixed(0)} ms with 100 % changed`,
        ratio: part / whole,
        target: 0.03,
        aim: 0.012,
        isAtMost: true,
      },
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}; // prettier-ignore

const isWritable = (path: string): boolean => {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
};
