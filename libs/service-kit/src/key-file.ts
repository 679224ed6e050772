import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';

const KEY_BYTES = 32;

/** Where a service's own key comes from: a file, made on first start, or a secret in the environment. */
export type KeySource = { readonly file: string } | { readonly secret: string };

export interface KeyNeeds {
  /** What to call a secret that is malformed, e.g. `the root key secret`. */
  readonly name: string;
  /**
   * What would be lost with the key, e.g. `existing keys are wrapped by it`; null: nothing yet. While something would, a
   * missing file is not made anew: a new key would open nothing, and hide that the old one is gone.
   */
  readonly dependents: string | null;
}

export const keyOrigin = (source: KeySource, { name }: KeyNeeds): string => ('file' in source ? source.file : name);

const parseKeys = (text: string, origin: string): [Buffer, ...Buffer[]] => {
  const lines = text.split(/[\s,]+/).filter((line) => line !== '');
  const keys = lines.map((line) => Buffer.from(line, 'base64'));
  const wellFormed = keys.every((key, i) => key.length === KEY_BYTES && key.toString('base64') === lines[i]);
  const [current, ...earlier] = keys;
  if (current === undefined || !wellFormed) throw new Error(`${origin} must hold keys: each 32 bytes in base64`);
  return [current, ...earlier];
};

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
    await handle.writeFile(`${randomBytes(KEY_BYTES).toString('base64')}\n`);
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
 * @returns keys of 32 bytes; the first one is used for what is new, the others for what they made before.
 * @throws Error naming what is wrong (a file missing, malformed or readable by others), never with a key in it.
 */
export const loadKeys = async (source: KeySource, needs: KeyNeeds): Promise<[Buffer, ...Buffer[]]> => {
  if (!('file' in source)) return parseKeys(source.secret, needs.name);
  if (await isAbsent(source.file)) {
    if (needs.dependents !== null) throw new Error(`${source.file} is missing, and ${needs.dependents}`);
    await createKeyFile(source.file);
  }
  return parseKeys(await readKeyFile(source.file), source.file);
};
