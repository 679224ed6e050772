import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createRestoredVolume,
  digestOf,
  FolderBlockStore,
  makeDirectory,
  Manifest,
  removeVolumeFiles,
  StoreLayout,
} from '@holdfast/block-store';
import { newSnapshotId, newVolumeId } from '@holdfast/contracts';
import { createLogger } from '@holdfast/service-kit';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { HostTasks } from './host-tasks.ts';
import { Snapshots, type UploadWork } from './snapshots.ts';

let layout: StoreLayout;
let snapshots: Snapshots;
beforeEach(() => {
  layout = new StoreLayout(mkdtempSync(join(tmpdir(), 'holdfast-snapshots-')));
  for (const folder of [layout.volumes, layout.blocks, layout.snapshots]) makeDirectory(folder);
  const logger = createLogger({ name: 'test', level: 'silent' });
  snapshots = new Snapshots(layout, {} as HostTasks, logger, {} as UploadWork);
});
afterEach(async () => {
  await snapshots.close();
  rmSync(layout.root, { recursive: true, force: true });
});

const soon = (check: () => void) => vi.waitFor(check, { timeout: 60_000, interval: 50 });

/** A complete one of one block. */
const completed = async () => {
  const bytes = Buffer.alloc(524_288, 1);
  const digest = await digestOf(bytes);
  await new FolderBlockStore(layout.blocks).put(digest, bytes);
  const snapshotId = newSnapshotId();
  const paths = layout.snapshot(snapshotId);
  makeDirectory(paths.folder);
  Manifest.of({ snapshotId, sizeGiB: 1, dataKey: null, parentSnapshotId: null }, [[0, digest]]).write(paths.manifest);
  return { snapshotId, paths };
};

it('a snapshot that is removed while its host clears up after it goes once the host is done', async () => {
  const { snapshotId, paths } = await completed();
  writeFileSync(paths.job, JSON.stringify({ kind: 'freeze' }));
  snapshots.remove(snapshotId);
  expect(snapshots.progress(snapshotId).state).toBe('unknown');
  expect(existsSync(paths.job)).toBe(true);
  rmSync(paths.job);
  await soon(() => expect(existsSync(paths.folder)).toBe(false));
});

it('blocks that only a volume kept go after it, without another removal', { timeout: 300_000 }, async () => {
  const { snapshotId, paths } = await completed();
  const volumeId = newVolumeId();
  const header = { format: 1, volumeId, sizeGiB: 1, dataKey: null, sourceSnapshotId: snapshotId } as const;
  createRestoredVolume(layout, header, paths.manifest);
  snapshots.remove(snapshotId);
  const trash = join(layout.blocks, 'trash');
  await soon(() => expect(existsSync(trash)).toBe(true));
  const stored = () =>
    readdirSync(layout.blocks, { recursive: true }).filter((name) => /[0-9a-f]{62}$/.test(String(name)));
  expect(stored()).toHaveLength(1);
  removeVolumeFiles(layout, volumeId);
  await soon(() => expect(stored()).toEqual([]));
});
