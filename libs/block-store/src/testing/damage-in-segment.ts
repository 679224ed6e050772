import { placeOfEntry } from '../block-index.ts';
import type { StoreLayout } from '../layout.ts';
import type { ObjectStore } from '../object-store.ts';
import { blocksOfSegment, offsetOfPlace, segmentKey } from '../segment.ts';
import { entryOf } from './block-store-suite.ts';

/** What a store that can't be trusted does to a block: in a segment that is best the block's own. */
export const damageInSegment = async (
  objects: ObjectStore,
  layout: StoreLayout,
  digest: Buffer,
  how: 'alter' | 'cut' | 'remove',
): Promise<void> => {
  const found = await placeOfEntry(entryOf(layout, digest));
  if (found === null) throw new Error('the block is in no segment');
  const { segment, place } = found;
  const key = segmentKey(segment);
  if (how === 'remove') return objects.remove([key]);
  const bytes = Buffer.from(await objects.get(key, 0, offsetOfPlace(blocksOfSegment(segment) ?? 0)));
  if (how === 'alter') bytes.fill(7, offsetOfPlace(place) + 1_000, offsetOfPlace(place) + 1_010);
  await objects.put(key, how === 'cut' ? bytes.subarray(0, offsetOfPlace(place) + 100) : bytes);
};
