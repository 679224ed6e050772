import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EnvironmentProvider } from './environment-provider.ts';
import { FileProvider } from './file-provider.ts';
import { InvalidWrapping, type RootKeyProvider, UnknownRootKeyVersion } from './types.ts';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-root-'));
  file = join(folder, 'root.key');
});
afterEach(() => rm(folder, { recursive: true }));

const newKey = () => randomBytes(32).toString('base64');
const idsOf = async (provider: RootKeyProvider) => (await provider.versions()).map(({ versionId }) => versionId);

describe('a root key in a file', () => {
  it('is made on first start, for its owner alone, and kept', async () => {
    file = join(folder, 'deep', 'root.key');
    const provider = new FileProvider(file, 'kms');
    expect(await provider.versions()).toEqual([]);
    await provider.createFirst();
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, 'deep'))).mode & 0o777).toBe(0o700);
    expect(await readFile(file, 'utf8')).toMatch(/^[A-Za-z0-9+/]{43}=\n$/);
    expect(await readdir(join(folder, 'deep'))).toEqual(['root.key']);
    const ids = await idsOf(provider);
    expect(ids).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
    expect(await idsOf(new FileProvider(file, 'kms'))).toEqual(ids);
    expect(await idsOf(new FileProvider(file, 'identity'))).not.toEqual(ids);
  });

  it('is one key when several start at once', async () => {
    await Promise.all(Array.from({ length: 8 }, () => new FileProvider(file, 'kms').createFirst()));
    expect(await idsOf(new FileProvider(file, 'kms'))).toHaveLength(1);
    expect(await readdir(folder)).toEqual(['root.key']);
  });

  it('is refused when others could read it, or when it is a link', async () => {
    await writeFile(file, newKey(), { mode: 0o600 });
    await chmod(file, 0o640);
    await expect(new FileProvider(file, 'kms').versions()).rejects.toThrow('can be read by others');
    await chmod(file, 0o600);
    await symlink(file, join(folder, 'link'));
    await expect(new FileProvider(join(folder, 'link'), 'kms').versions()).rejects.toThrow('ELOOP');
  });

  it.each(['', 'short', `${newKey()}\nnonsense`, newKey().slice(1)])('is refused when it holds %j', async (text) => {
    await writeFile(file, text, { mode: 0o600 });
    await expect(new FileProvider(file, 'kms').versions()).rejects.toThrow('must hold keys: each 32 bytes');
  });

  it('gets another version in front, which another process finds, and loses one again', async () => {
    const [mine, other] = [new FileProvider(file, 'kms'), new FileProvider(file, 'kms')];
    await mine.createFirst();
    const [first = ''] = await idsOf(other);
    const { versionId: second } = await mine.create();
    expect(await idsOf(other)).toEqual([second, first]);
    const wrapped = await mine.wrap(second, Buffer.from('secret'), Buffer.from('mine'));
    expect((await other.unwrap(wrapped, Buffer.from('mine'))).toString()).toBe('secret');
    await mine.destroy(first);
    await mine.destroy(first);
    expect(await idsOf(other)).toEqual([second]);
    expect(await readdir(folder)).toEqual(['root.key']);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('leaves no draft of a process that was killed, and no other file', async () => {
    const provider = new FileProvider(file, 'kms');
    await provider.createFirst();
    const [id = ''] = await idsOf(provider);
    const lines = await readFile(file, 'utf8');
    await writeFile(`${file}.0123456789ab`, lines, { mode: 0o600 });
    await writeFile(`${file}.backup`, lines, { mode: 0o600 });
    await provider.create();
    expect((await readdir(folder)).sort()).toEqual(['root.key', 'root.key.backup']);
    await writeFile(`${file}.0123456789ab`, lines, { mode: 0o600 });
    await provider.destroy(id);
    await writeFile(`${file}.0123456789ab`, lines, { mode: 0o600 });
    await provider.destroy(id);
    expect((await readdir(folder)).sort()).toEqual(['root.key', 'root.key.backup']);
  });

  it('is one version when it is there twice', async () => {
    const key = newKey();
    await writeFile(file, `${key}\n${newKey()}\n${key}\n`, { mode: 0o600 });
    expect(await idsOf(new FileProvider(file, 'kms'))).toHaveLength(2);
  });

  it('says what to do when the file cannot be written', async () => {
    await writeFile(file, newKey(), { mode: 0o600 });
    const provider = new FileProvider(join(folder, 'root.key', 'no-folder'), 'kms');
    await expect(provider.create()).rejects.toThrow('cannot be');
  });
});

describe('a root key in the environment', () => {
  it('may have several versions, that cannot be changed from here', async () => {
    const [current, former] = [newKey(), newKey()];
    const provider = new EnvironmentProvider('HOLDFAST_X', `${current},${former}`, 'kms');
    const ids = await idsOf(provider);
    expect(ids).toHaveLength(2);
    expect(await idsOf(new EnvironmentProvider('HOLDFAST_X', former, 'kms'))).toEqual([ids[1]]);
    await expect(provider.create()).rejects.toThrow('add a new key to HOLDFAST_X of every replica');
    await expect(provider.destroy()).rejects.toThrow('remove it from HOLDFAST_X');
  });

  it('is never in an error', () => {
    const secret = `${newKey()} wrong-wrong-wrong`;
    const make = () => new EnvironmentProvider('HOLDFAST_X', secret, 'kms');
    expect(make).toThrow('HOLDFAST_X must hold keys');
    try {
      make();
    } catch (error) {
      const { message, stack } = error as Error;
      expect(message + String(stack)).not.toContain(secret.slice(0, 10));
      expect(message + String(stack)).not.toContain('wrong-wrong');
    }
  });
});

describe('what a root key wraps', () => {
  let provider: EnvironmentProvider;
  let versionId: string;
  beforeEach(async () => {
    provider = new EnvironmentProvider('HOLDFAST_X', newKey(), 'kms');
    versionId = (await idsOf(provider))[0]!;
  });
  const secret = Buffer.from('the material of a key');
  const binding = Buffer.from('its row');

  it('names its version, opens in its own place, and looks different each time', async () => {
    const [one, two] = [
      await provider.wrap(versionId, secret, binding),
      await provider.wrap(versionId, secret, binding),
    ];
    expect(one.subarray(2, 34).toString('hex')).toBe(versionId);
    expect(await provider.unwrap(one, binding)).toEqual(secret);
    expect(one.subarray(-37)).not.toEqual(two.subarray(-37));
    expect(one.includes(secret)).toBe(false);
  });

  it('opens nowhere else', async () => {
    const wrapped = await provider.wrap(versionId, secret, binding);
    for (const other of [Buffer.from('another row'), Buffer.alloc(0), Buffer.from('its rowX')]) {
      await expect(provider.unwrap(wrapped, other)).rejects.toThrow(InvalidWrapping);
    }
  });

  it('does not open when one bit is another, or one byte is missing', async () => {
    const wrapped = await provider.wrap(versionId, secret, binding);
    for (let i = 0; i < wrapped.length; i++) {
      const altered = Buffer.from(wrapped);
      altered[i] = altered[i]! ^ 1;
      const refusal = i >= 2 && i < 34 ? UnknownRootKeyVersion : InvalidWrapping;
      await expect(provider.unwrap(altered, binding), `byte ${String(i)}`).rejects.toThrow(refusal);
      await expect(provider.unwrap(wrapped.subarray(0, i), binding), `${String(i)} bytes`).rejects.toThrow(
        InvalidWrapping,
      );
    }
  });

  it('does not open under a version that only calls itself the same', async () => {
    const wrapped = await provider.wrap(versionId, secret, binding);
    const other = new EnvironmentProvider('HOLDFAST_X', newKey(), 'kms');
    await expect(other.unwrap(wrapped, binding)).rejects.toThrow(UnknownRootKeyVersion);
    const otherId = (await idsOf(other))[0]!;
    Buffer.from(otherId, 'hex').copy(wrapped, 2);
    await expect(other.unwrap(wrapped, binding)).rejects.toThrow(InvalidWrapping);
    await expect(other.wrap(versionId, secret, binding)).rejects.toThrow(UnknownRootKeyVersion);
  });
});
