import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type BlockStore,
  createUpload,
  finishUpload,
  Manifest,
  requestCompletion,
  StoreLayout,
} from '@holdfast/block-store';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { OpenUploads } from './open-uploads.ts';

const snapshotId = 'snap-0123456789abcdef0';
let layout: StoreLayout;
/** Lets the next block that waits into the store. */
const waiting: (() => void)[] = [];
const store = {
  put: () => new Promise<void>((resolve) => waiting.push(resolve)),
  settle: () => Promise.resolve(),
} as unknown as BlockStore;

beforeEach(() => {
  layout = new StoreLayout(mkdtempSync(join(tmpdir(), 'holdfast-uploads-')));
  const header = { snapshotId, sizeGiB: 1, dataKey: null, parentSnapshotId: null };
  createUpload(layout.snapshot(snapshotId), { header, timeoutMinutes: 60 }, null);
});
afterEach(() => rmSync(layout.root, { recursive: true, force: true }));

it('opens an upload anew when what was being put is in the journal, and keeps both', async () => {
  const uploads = new OpenUploads(layout, store);
  const digests = [randomBytes(32), randomBytes(32)] as const;
  const put = (block: 0 | 1) => {
    const digest = digests[block];
    return uploads.put(snapshotId, block, { stored: Buffer.alloc(0), digest, checksum: digest });
  };
  await uploads.open(snapshotId);
  const first = put(0);
  let closed = 0;
  const closings = [uploads.close(snapshotId), uploads.close(snapshotId)].map((closing) =>
    closing.then(() => closed++),
  );
  const second = uploads.open(snapshotId).then(() => put(1));
  await new Promise(setImmediate);
  expect([closed, waiting.length]).toEqual([0, 1]);
  waiting.shift()?.();
  await Promise.all([first, ...closings]);
  while (waiting.length === 0) await new Promise(setImmediate);
  waiting.shift()?.();
  await second;
  await uploads.closeAll();
  const paths = layout.snapshot(snapshotId);
  requestCompletion(paths, { changedBlocksCount: 2, checksum: null });
  expect(finishUpload(paths)).toBeNull();
  expect([...Manifest.read(paths.manifest)]).toEqual([...digests.entries()]);
});
