import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadRootKeys } from './root-keys.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-root-'));
});
afterEach(() => rm(folder, { recursive: true }));

const newKey = () => randomBytes(32).toString('base64');

describe('a root key in a file', () => {
  it('is made on first start, for its owner alone, and kept', async () => {
    const file = join(folder, 'deep', 'root.key');
    const first = await loadRootKeys({ file }, []);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, 'deep'))).mode & 0o777).toBe(0o700);
    expect(await readdir(join(folder, 'deep'))).toEqual(['root.key']);
    const again = await loadRootKeys({ file }, [first.current.materialId]);
    expect(again.current).toEqual(first.current);
    expect(first.current.materialId).toMatch(/^[0-9a-f]{64}$/);
  });

  it('is one key when several start at once', async () => {
    const file = join(folder, 'root.key');
    const all = await Promise.all(Array.from({ length: 8 }, () => loadRootKeys({ file }, [])));
    expect(new Set(all.map(({ current }) => current.materialId)).size).toBe(1);
    expect(await readdir(folder)).toEqual(['root.key']);
  });

  it('is refused when others could read it, or when it is a link', async () => {
    const file = join(folder, 'root.key');
    await writeFile(file, newKey(), { mode: 0o600 });
    await chmod(file, 0o640);
    await expect(loadRootKeys({ file }, [])).rejects.toThrow('can be read by others');
    await chmod(file, 0o600);
    await symlink(file, join(folder, 'link'));
    await expect(loadRootKeys({ file: join(folder, 'link') }, [])).rejects.toThrow('ELOOP');
  });

  it('is not made anew when keys need the one that is gone', async () => {
    const file = join(folder, 'root.key');
    await expect(loadRootKeys({ file }, ['ab'.repeat(32)])).rejects.toThrow('is missing');
    expect(await readdir(folder)).toEqual([]);
  });

  it.each(['', 'short', `${newKey()}\nnonsense`, newKey().slice(1)])('is refused when it holds %j', async (text) => {
    const file = join(folder, 'root.key');
    await writeFile(file, text, { mode: 0o600 });
    await expect(loadRootKeys({ file }, [])).rejects.toThrow('must hold keys: each 32 bytes');
  });
});

describe('a root key in a secret', () => {
  it('may be followed by the ones before it', async () => {
    const [current, former] = [newKey(), newKey()];
    const before = await loadRootKeys({ secret: former }, []);
    const keys = await loadRootKeys({ secret: `${current},${former}` }, [before.current.materialId]);
    expect(keys.find(before.current.materialId)).toEqual(before.current);
    expect(keys.current.materialId).not.toBe(before.current.materialId);
    expect(keys.derive('transport')).not.toEqual(before.derive('transport'));
    expect(keys.deriveAll('markers')[1]).toEqual(before.derive('markers'));
  });

  it('must be the one that existing keys need', async () => {
    await expect(loadRootKeys({ secret: newKey() }, ['ab'.repeat(32)])).rejects.toThrow('lacks root key abab');
  });

  it('derives another key for each purpose, none of them itself', async () => {
    const { derive, current } = await loadRootKeys({ secret: newKey() }, []);
    const all = [derive('a'), derive('b'), Buffer.from(current.material), Buffer.from(current.materialId, 'hex')];
    expect(new Set(all.map((key) => key.toString('hex'))).size).toBe(4);
  });

  it('is never in an error', async () => {
    const secret = `${newKey()} wrong-wrong-wrong`;
    const error = await loadRootKeys({ secret }, []).catch((reason: unknown) => reason);
    expect(String(error)).not.toContain(secret.slice(0, 10));
    expect(String(error)).not.toContain('wrong-wrong');
  });
});

it('the file holds base64 of 32 bytes and nothing else', async () => {
  const file = join(folder, 'root.key');
  await loadRootKeys({ file }, []);
  expect(await readFile(file, 'utf8')).toMatch(/^[A-Za-z0-9+/]{43}=\n$/);
});
