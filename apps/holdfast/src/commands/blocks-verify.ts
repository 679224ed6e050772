import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Finding,
  isLoss,
  makeDirectory,
  type ObjectStore,
  readClaim,
  rebuildIndex,
  StoreLayout,
  takeOverStore,
  verifyStore,
} from '@holdfast/block-store';
import { UserError } from '../errors.ts';

const describe = ({ kind, subject, owners, reason }: Finding): string => {
  const needed = owners.length === 0 ? '' : `; needed by ${owners.join(', ')}`;
  return `${kind.padEnd(18)}  ${subject}: ${reason}${needed}`;
};

/** @throws UserError when there is nothing, or blocks are elsewhere than is said. */
const layoutOf = (home: string, objects: ObjectStore | undefined): StoreLayout => {
  const root = join(home, 'data-plane');
  if (!existsSync(root)) throw new UserError(`${home} holds no volumes or snapshots`);
  const layout = new StoreLayout(root);
  const claim = readClaim(layout.claim);
  if (claim?.taken === true && claim.url !== objects?.url)
    throw new UserError(`the blocks of ${home} are in ${claim.url}: HOLDFAST_BLOCK_STORE must name it`);
  return layout;
};

/**
 * Reads all blocks, block indexes, archives and volume headers of a host, and prints what is wrong with them; changes nothing.
 * @param objects where its segments are, if it has any.
 * @returns whether all is there and as it was written. What only takes room does not count. @throws UserError
 */
export const blocksVerify = async (
  home: string,
  json: boolean,
  print: (text: string) => void,
  objects?: ObjectStore,
): Promise<boolean> => {
  const verification = await verifyStore(layoutOf(home, objects), objects);
  const { blocks, references, snapshots, volumes, findings } = verification;
  const lost = findings.filter(isLoss).length;
  if (json) {
    print(JSON.stringify({ ...verification, whole: lost === 0 }, null, 2));
    return lost === 0;
  }
  for (const finding of findings) print(describe(finding));
  const counts = [
    [blocks, 'blocks'],
    [references, 'references to them'],
    [snapshots, 'snapshots'],
    [volumes, 'volumes'],
  ].map(([count, what]) => `${String(count)} ${String(what)}`);
  const conclusion = lost === 0 ? 'all are whole' : `${String(lost)} damaged or missing`;
  const room = findings.length - lost;
  print(`${counts.join(', ')}: ${conclusion}${room === 0 ? '' : `; ${String(room)} only take room`}`);
  return lost === 0;
};

/**
 * Makes what is missing of the index of blocks and of the snapshots anew, from the object store.
 * @param takeOver for a host that is in the place of the one whose blocks these are, which is gone for good.
 * @throws UserError
 */
export const blocksReindex = async (
  home: string,
  print: (text: string) => void,
  objects: ObjectStore | undefined,
  takeOver = false,
): Promise<boolean> => {
  if (objects === undefined) throw new UserError('blocks in a folder need no index');
  if (takeOver) {
    const { root, claim } = new StoreLayout(join(home, 'data-plane'));
    makeDirectory(root);
    await takeOverStore(objects, claim);
  }
  const layout = layoutOf(home, objects);
  const { segments, blocks, snapshots, damaged } = await rebuildIndex(layout, objects);
  for (const key of damaged) print(`${objects.url}/${key}: it is damaged`);
  print(`${String(segments)} segments with ${String(blocks)} blocks are in the index`);
  if (snapshots.length > 0) print(`${String(snapshots.length)} snapshots that were not here: ${snapshots.join(', ')}`);
  return damaged.length === 0;
};
