import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openNodeFile } from './backing-file.ts';
import { BackgroundWork } from './background.ts';
import { FolderBlockStore } from './block-store.ts';
import { discardJobFiles } from './freeze.ts';
import { GuestDevice } from './guest-device.ts';
import { StoreLayout } from './layout.ts';
import { Manifest } from './manifest.ts';
import { VolumeFile } from './volume-file.ts';
import { createEmptyVolume } from './volume-header.ts';

it('a host that clears up after a freeze does not mind that the snapshot was removed at that moment', () => {
  const root = mkdtempSync(join(tmpdir(), 'holdfast-freeze-'));
  const paths = new StoreLayout(root).snapshot('snap-00000001');
  expect(() => discardJobFiles(paths)).not.toThrow();
  expect(existsSync(paths.folder)).toBe(false);
  rmSync(root, { recursive: true });
});

it('a freeze that finds no room is none, and is taken when it is asked for again', async () => {
  const layout = new StoreLayout(mkdtempSync(join(tmpdir(), 'holdfast-freeze-')));
  const volumeId = 'vol-00000001';
  createEmptyVolume(layout, { format: 1, volumeId, sizeGiB: 1, dataKey: null, sourceSnapshotId: null });
  let full = true;
  const store = new FolderBlockStore(layout.blocks);
  const paths = layout.snapshot('snap-00000001');
  const volume = new VolumeFile({
    layout,
    volumeId,
    sizeGiB: 1,
    store,
    openFile: (path, mode) => {
      if (full && path === paths.spill) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
      return openNodeFile(path, mode);
    },
  });
  const device = new GuestDevice(volume, null);
  await device.write(0, Buffer.from('before'));
  const freeze = () => volume.freeze({ snapshotId: 'snap-00000001', sizeGiB: 1, dataKey: null });
  await expect(freeze()).rejects.toThrow('no space');
  await device.write(0, Buffer.from('frozen'));
  full = false;
  expect(await freeze()).toBeGreaterThan(0);
  expect(await freeze()).toBeNull();
  await device.write(0, randomBytes(6));
  const background = new BackgroundWork(volume, new AbortController().signal);
  while (background.isNeeded) await background.step();
  const digest = Manifest.read(paths.manifest).digest(0);
  expect((await store.get(digest!)).toString('latin1', 0, 6)).toBe('frozen');
  volume.close();
  rmSync(layout.root, { recursive: true });
});
