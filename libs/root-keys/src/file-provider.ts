import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, readdir, rename, rm, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { KEY_BYTES, parseKeys } from './raw-keys.ts';
import { RawKeyProvider } from './raw-provider.ts';
import { RootKeyError, type RootKeyVersion } from './types.ts';

const syncFolder = async (folder: string): Promise<void> => {
  const handle = await open(folder, constants.O_RDONLY);
  await handle.sync().finally(() => handle.close());
};

/** Writes a file beside its place, durably, and has `publish` put it there. */
const writeDraft = async (file: string, text: string, publish: (draft: string) => Promise<void>): Promise<void> => {
  const folder = dirname(file);
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await publish(draft).finally(() => rm(draft, { force: true }));
  await syncFolder(folder);
};

/** A process that is killed between writing a draft and putting it in its place leaves keys behind. */
const removeDrafts = async (file: string): Promise<void> => {
  const folder = dirname(file);
  const drafts = (await readdir(folder)).filter(
    (name) => name.startsWith(`${basename(file)}.`) && /\.[0-9a-f]{12}$/.test(name),
  );
  for (const name of drafts) await rm(join(folder, name), { force: true });
};

/** @returns null when there is no such file. @throws RootKeyError when others could read it */
const readPrivate = async (file: string): Promise<string | null> => {
  let handle;
  try {
    handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new RootKeyError(`${file} cannot be read: ${(error as Error).message}`);
  }
  try {
    const { mode } = await handle.stat();
    if ((mode & 0o077) !== 0) throw new RootKeyError(`${file} can be read by others: its mode must be 0600`);
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
};

const newLine = (): string => `${randomBytes(KEY_BYTES).toString('base64')}\n`;

/**
 * Versions in a file of mode 0600, one a line, the newest first. Read anew whenever a version is not known, so that all
 * processes that share the file learn of a new one. Only one of them changes it at a time (see RootKeys).
 */
export class FileProvider extends RawKeyProvider {
  readonly kind = 'file';

  constructor(
    private readonly file: string,
    service: string,
  ) {
    super(file, service);
  }

  async versions(): Promise<readonly RootKeyVersion[]> {
    return this.keys.replace(await this.read(), this.file);
  }

  /** Durable before it is used, and never over another process's key: of two that start at once one makes it. */
  readonly createFirst = async (): Promise<void> => {
    await mkdir(dirname(this.file), { recursive: true, mode: 0o700 });
    await writeDraft(this.file, newLine(), async (draft) => {
      await link(draft, this.file).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
      });
      await unlink(draft);
    });
  };

  async create(): Promise<RootKeyVersion> {
    const keys = (await this.read()).map((key) => `${key.toString('base64')}\n`);
    await this.rewrite([newLine(), ...keys], 'add a key to it in front, and rotate then');
    const [first] = await this.versions();
    if (first === undefined) throw new RootKeyError(`${this.file} is gone`);
    return first;
  }

  async destroy(versionId: string): Promise<void> {
    const keys = await this.read();
    const rest = keys.filter((key) => this.keys.idOf(key) !== versionId);
    if (rest.length < keys.length) {
      await this.rewrite(
        rest.map((key) => `${key.toString('base64')}\n`),
        'remove the key from it',
      );
    } else {
      await removeDrafts(this.file);
    }
    await this.versions();
  }

  private async read(): Promise<Buffer[]> {
    const text = await readPrivate(this.file);
    return text === null ? [] : parseKeys(text, this.file);
  }

  private async rewrite(lines: readonly string[], instead: string): Promise<void> {
    try {
      await removeDrafts(this.file);
      await writeDraft(this.file, lines.join(''), (draft) => rename(draft, this.file));
    } catch (error) {
      throw new RootKeyError(`${this.file} cannot be written (${(error as Error).message}): ${instead}`);
    }
  }
}
