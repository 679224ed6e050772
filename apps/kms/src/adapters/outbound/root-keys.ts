import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type EnvelopeKey, hkdf } from '@holdfast/crypto';

const ROOT_KEY_BYTES = 32;

/** Where the root key comes from: a file, made on first start, or a secret in the environment. */
export type RootKeySource = { readonly file: string } | { readonly secret: string };

/** The root keys that this installation knows: the first wraps, the others still unwrap what they wrapped. */
export interface RootKeys {
  readonly current: EnvelopeKey;
  find(rootKeyId: string): EnvelopeKey | undefined;
  /** 32 bytes for one purpose, from the current root key. */
  derive(purpose: string): Buffer;
  /** The same from every root key, the current one first: what an earlier one signed is still known. */
  deriveAll(purpose: string): Buffer[];
}

const parseKeys = (text: string, origin: string): Buffer[] => {
  const lines = text.split(/[\s,]+/).filter((line) => line !== '');
  const keys = lines.map((line) => Buffer.from(line, 'base64'));
  const wellFormed = keys.every((key, i) => key.length === ROOT_KEY_BYTES && key.toString('base64') === lines[i]);
  if (keys.length === 0 || !wellFormed) throw new Error(`${origin} must hold root keys: each 32 bytes in base64`);
  return keys;
};

const NONE = Buffer.alloc(0);

/** A root key's id is derived from it, so it needs no bookkeeping and a wrong key is told from the right one. */
const named = (material: Buffer): EnvelopeKey => ({
  keyId: 'root',
  materialId: hkdf(material, NONE, 'holdfast/kms/root-key-id', 32).toString('hex'),
  material,
});

const syncFolder = async (folder: string): Promise<void> => {
  const handle = await open(folder, constants.O_RDONLY);
  await handle.sync().finally(() => handle.close());
};

/** Durable before it is used, and never over another process's key: of two that start at once one makes it. */
const createKeyFile = async (file: string): Promise<void> => {
  const folder = dirname(file);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(`${randomBytes(ROOT_KEY_BYTES).toString('base64')}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  try {
    await link(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await unlink(draft);
  }
  await syncFolder(folder);
};

const isAbsent = async (file: string): Promise<boolean> =>
  stat(file).then(
    () => false,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return true;
      throw error;
    },
  );

const readKeyFile = async (file: string): Promise<string> => {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const { mode } = await handle.stat();
    if ((mode & 0o077) !== 0) throw new Error(`${file} can be read by others: its mode must be 0600`);
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
};

/**
 * @param needed ids of the root keys that stored key material is under. With any, a missing file is not made anew: a new
 *   root key would open nothing, and hide that the old one is gone.
 * @throws Error naming what is wrong: file missing, malformed or readable by others, or a root key that is not there.
 */
export const loadRootKeys = async (source: RootKeySource, needed: readonly string[]): Promise<RootKeys> => {
  const origin = 'file' in source ? source.file : 'the root key secret';
  if ('file' in source && (await isAbsent(source.file))) {
    if (needed.length > 0) throw new Error(`${source.file} is missing, and existing keys are wrapped by its root key`);
    await createKeyFile(source.file);
  }
  const text = 'file' in source ? await readKeyFile(source.file) : source.secret;
  const keys = parseKeys(text, origin).map(named);
  const [current] = keys;
  if (current === undefined) throw new Error(`${origin} holds no root key`);
  const find = (rootKeyId: string) => keys.find(({ materialId }) => materialId === rootKeyId);
  const missing = needed.filter((rootKeyId) => find(rootKeyId) === undefined);
  if (missing.length > 0) throw new Error(`${origin} lacks root key ${missing.join(', ')}, which wraps existing keys`);
  const deriveFrom = ({ material }: EnvelopeKey, purpose: string) =>
    hkdf(material, NONE, `holdfast/kms/${purpose}`, 32);
  return {
    current,
    find,
    derive: (purpose) => deriveFrom(current, purpose),
    deriveAll: (purpose) => keys.map((key) => deriveFrom(key, purpose)),
  };
};
