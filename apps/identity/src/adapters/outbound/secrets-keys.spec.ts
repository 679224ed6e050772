import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DerivedSessionSecrets } from './credentials.ts';
import { loadSecretsKeys } from './secrets-keys.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-identity-'));
});
afterEach(() => rm(folder, { recursive: true }));
const newKey = () => randomBytes(32).toString('base64');

describe("identity's secrets key", () => {
  it('in a file is made on first start, for its owner alone, and kept', async () => {
    const file = join(folder, 'deep', 'identity.key');
    const all = await Promise.all(Array.from({ length: 6 }, () => loadSecretsKeys({ file }, [])));
    expect(new Set(all.map(({ current }) => current.keyId)).size).toBe(1);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readdir(join(folder, 'deep'))).toEqual(['identity.key']);
  });

  it('is refused when others could read it, or it is a link', async () => {
    const file = join(folder, 'key');
    await writeFile(file, newKey(), { mode: 0o600 });
    await chmod(file, 0o644);
    await expect(loadSecretsKeys({ file }, [])).rejects.toThrow('can be read by others');
    await chmod(file, 0o600);
    await symlink(file, join(folder, 'link'));
    await expect(loadSecretsKeys({ file: join(folder, 'link') }, [])).rejects.toThrow('ELOOP');
  });

  it('is not made anew when stored secrets need the one that is gone', async () => {
    await expect(loadSecretsKeys({ file: join(folder, 'key') }, ['ab'.repeat(8)])).rejects.toThrow('is missing');
    expect(await readdir(folder)).toEqual([]);
    await expect(loadSecretsKeys({ secret: newKey() }, ['ab'.repeat(8)])).rejects.toThrow('lacks key abab');
  });

  it.each(['', 'short', `${newKey()},nonsense`])('is refused when it is %j, and not quoted', async (secret) => {
    const error = await loadSecretsKeys({ secret }, []).catch((reason: unknown) => reason);
    expect(String(error)).toContain('must hold keys');
    if (secret !== '') expect(String(error)).not.toContain(secret);
  });

  it('gives each session a secret and token of its own, the same each time', async () => {
    const keys = await loadSecretsKeys({ secret: newKey() }, []);
    const secrets = new DerivedSessionSecrets(keys);
    const one = secrets.of('ASIA1', secrets.currentKeyId);
    expect(secrets.of('ASIA1', secrets.currentKeyId)).toEqual(one);
    const other = secrets.of('ASIA2', secrets.currentKeyId);
    expect(one.secretAccessKey).toHaveLength(40);
    expect(one.sessionToken).toHaveLength(344);
    expect([one.secretAccessKey, one.sessionToken]).not.toContain(other.secretAccessKey);
    expect(one.sessionToken).not.toBe(other.sessionToken);
    expect(() => secrets.of('ASIA1', '00'.repeat(8))).toThrow('under a key that is gone');
  });
});
