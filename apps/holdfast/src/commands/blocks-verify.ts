import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Finding, isLoss, StoreLayout, verifyStore } from '@holdfast/block-store';
import { UserError } from '../errors.ts';

const describe = ({ kind, subject, owners, reason }: Finding): string => {
  const needed = owners.length === 0 ? '' : `; needed by ${owners.join(', ')}`;
  return `${kind.padEnd(18)}  ${subject}: ${reason}${needed}`;
};

/**
 * Reads all blocks, block indexes, archives and volume headers of a host, and prints what is wrong with them; changes nothing.
 * @returns whether all is there and as it was written. What only takes room does not count. @throws UserError
 */
export const blocksVerify = async (home: string, json: boolean, print: (text: string) => void): Promise<boolean> => {
  const root = join(home, 'data-plane');
  if (!existsSync(root)) throw new UserError(`${home} holds no volumes or snapshots`);
  const verification = await verifyStore(new StoreLayout(root));
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
