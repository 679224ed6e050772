import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { writeFileDurably } from './durable-files.ts';
import { ObjectMissing, type ObjectStore } from './object-store.ts';

/** The place in the object store is another host's: its collector would remove what ours has put there, and ours its. */
export class ForeignStore extends Error {
  override readonly name = 'ForeignStore';
}

/** Whose place it is. */
export const CLAIM_KEY = 'holdfast.json';
/** An identifier and not much else. */
const MAX_CLAIM_BYTES = 4_096;

interface Claim {
  readonly store: string;
  readonly url: string;
  /** False: it was about to take it. */
  readonly taken: boolean;
}

/** @returns what this host noted of the place that it took, or was about to take; null: it keeps blocks in its folder only. */
export const readClaim = (claimPath: string): Claim | null =>
  existsSync(claimPath) ? (JSON.parse(readFileSync(claimPath, 'utf8')) as Claim) : null;

/**
 * Takes the place for this host, if it is nobody's. @param claimPath where the host notes that it has.
 * @throws ForeignStore, StoreUnavailable
 */
export const claimStore = async (objects: ObjectStore, claimPath: string): Promise<void> => {
  const noted = readClaim(claimPath);
  const { url } = objects;
  if (noted?.taken === true) {
    if (noted.url !== url) throw new ForeignStore(`the blocks of this host are in ${noted.url}, and not in ${url}`);
    return assertStore(objects, noted);
  }
  const claim: Claim = { store: noted?.store ?? randomUUID(), url, taken: false };
  // Noted first: killed in between, it knows its own claim again.
  writeFileDurably(claimPath, JSON.stringify(claim));
  await objects.put(CLAIM_KEY, Buffer.from(JSON.stringify({ store: claim.store })), { ifAbsent: true });
  await assertStore(objects, claim);
  writeFileDurably(claimPath, JSON.stringify({ ...claim, taken: true }));
};

/**
 * Takes the place over from a host that is gone for good; should it come back, it is refused, and removes nothing. Does nothing
 * for a host that has the place. @throws ForeignStore: this host has taken another one, or nobody has taken this; StoreUnavailable
 */
export const takeOverStore = async (objects: ObjectStore, claimPath: string): Promise<void> => {
  const noted = readClaim(claimPath);
  const { url } = objects;
  if (noted !== null && noted.url !== url) throw new ForeignStore(`this host was to take ${noted.url}, and not ${url}`);
  const found = await storeIdOf(objects);
  if (noted?.taken === true && noted.store === found) return;
  const claim: Claim = { store: randomUUID(), url, taken: false };
  writeFileDurably(claimPath, JSON.stringify(claim));
  await objects.put(CLAIM_KEY, Buffer.from(JSON.stringify({ store: claim.store })));
  writeFileDurably(claimPath, JSON.stringify({ ...claim, taken: true }));
};

/** Before anything is removed. @throws ForeignStore, StoreUnavailable */
export const assertOwnStore = async (objects: ObjectStore, claimPath: string): Promise<void> => {
  const claim = readClaim(claimPath);
  if (claim === null) throw new ForeignStore(`this host has not taken ${objects.url}`);
  await assertStore(objects, claim);
};

const assertStore = async (objects: ObjectStore, { store }: Claim): Promise<void> => {
  if ((await storeIdOf(objects)) !== store)
    throw new ForeignStore(`${objects.url} is the block store of another host: every host needs a prefix of its own`);
};

const storeIdOf = async (objects: ObjectStore): Promise<unknown> => {
  try {
    return (JSON.parse((await objects.get(CLAIM_KEY, 0, MAX_CLAIM_BYTES)).toString()) as Partial<Claim>).store;
  } catch (error) {
    if (error instanceof ObjectMissing) throw new ForeignStore(`${objects.url} has lost its ${CLAIM_KEY}`);
    throw error;
  }
};
