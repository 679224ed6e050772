import { hkdfSync, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';

const KEY_BYTES = 32;
const NONE = Buffer.alloc(0);

/** Where identity's own key comes from: a file, made on first start, or a secret in the environment. */
export type SecretsKeySource = { readonly file: string } | { readonly secret: string };

/** Everything secret in identity is encrypted by, or derived from, one of these. */
export interface SecretsKey {
  /** Derived from the key, so a wrong key is told from the right one. 16 hexadecimal digits. */
  readonly keyId: string;
  /** 32 bytes for one purpose. */
  derive(purpose: string, lengthBytes?: number): Buffer;
}

/** The first encrypts; the others still decrypt what they encrypted. */
export interface SecretsKeys {
  readonly current: SecretsKey;
  find(keyId: string): SecretsKey | undefined;
}

const secretsKey = (material: Buffer): SecretsKey => {
  const derive = (purpose: string, lengthBytes = KEY_BYTES) =>
    Buffer.from(hkdfSync('sha256', material, NONE, `holdfast/identity/${purpose}`, lengthBytes));
  return { keyId: derive('key-id', 8).toString('hex'), derive };
};

const parseKeys = (text: string, origin: string): Buffer[] => {
  const lines = text.split(/[\s,]+/).filter((line) => line !== '');
  const keys = lines.map((line) => Buffer.from(line, 'base64'));
  const wellFormed = keys.every((key, i) => key.length === KEY_BYTES && key.toString('base64') === lines[i]);
  if (keys.length === 0 || !wellFormed) throw new Error(`${origin} must hold keys: each 32 bytes in base64`);
  return keys;
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
  const folderHandle = await open(folder, constants.O_RDONLY);
  await folderHandle.sync().finally(() => folderHandle.close());
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
 * @param needed ids of the keys that stored secrets are under. With any, a missing file is not made anew: a new key would
 *   open nothing, and hide that the old one is gone.
 * @throws Error naming what is wrong, never with a key in it.
 */
export const loadSecretsKeys = async (source: SecretsKeySource, needed: readonly string[]): Promise<SecretsKeys> => {
  const origin = 'file' in source ? source.file : "identity's secrets key";
  if ('file' in source && (await isAbsent(source.file))) {
    if (needed.length > 0) throw new Error(`${source.file} is missing, and stored secrets are encrypted by its key`);
    await createKeyFile(source.file);
  }
  const text = 'file' in source ? await readKeyFile(source.file) : source.secret;
  const keys = parseKeys(text, origin).map(secretsKey);
  const [current] = keys;
  if (current === undefined) throw new Error(`${origin} holds no key`);
  const find = (keyId: string) => keys.find((key) => key.keyId === keyId);
  const missing = needed.filter((keyId) => find(keyId) === undefined);
  if (missing.length > 0) throw new Error(`${origin} lacks key ${missing.join(', ')}, which encrypts stored secrets`);
  return { current, find };
};
