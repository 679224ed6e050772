import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { FolderBlockStore } from './block-store.ts';
import { SegmentBlockStore } from './segment-block-store.ts';
import { claimStore } from './store-claim.ts';
import { blockStoreSuite, entryOf } from './testing/block-store-suite.ts';
import { MemoryObjects } from './testing/memory-objects.ts';
import { damageInSegment } from './testing/damage-in-segment.ts';

blockStoreSuite('a folder', () =>
  Promise.resolve({
    open: (layout) => new FolderBlockStore(layout.blocks),
    damage: (layout, digest, how) => {
      const path = entryOf(layout, digest);
      if (how === 'alter') writeFileSync(path, readFileSync(path).fill(7, 1_000, 1_010));
      else if (how === 'cut') truncateSync(path, 100);
      else rmSync(path);
      return Promise.resolve();
    },
  }),
);

blockStoreSuite('segments of an object store', async (layout) => {
  const objects = new MemoryObjects();
  await claimStore(objects, layout.claim);
  return {
    objects,
    open: (of) => new SegmentBlockStore(of.blocks, objects),
    damage: (of, digest, how) => damageInSegment(objects, of, digest, how),
  };
});
