import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from './config.ts';
import { checkRootKeys } from './root-keys-check.ts';

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'holdfast-doctor-'));
  mkdirSync(join(home, 'keys'));
});
afterAll(() => rmSync(home, { recursive: true }));

describe('the check of root keys', () => {
  it('finds files in order when they are not there yet, and when they are ours alone', async () => {
    const config = readConfig({ HOLDFAST_HOME: home });
    expect(await checkRootKeys({ config })).toMatchObject({ status: 'ok' });
    writeFileSync(join(home, 'keys', 'root.key'), '', { mode: 0o600 });
    expect(await checkRootKeys({ config })).toMatchObject({ status: 'ok' });
    chmodSync(join(home, 'keys', 'root.key'), 0o644);
    expect(await checkRootKeys({ config })).toMatchObject({
      status: 'fail',
      remedy: expect.stringContaining('chmod 600'),
    });
  });

  it('says why a token cannot be used', async () => {
    const config = readConfig({
      ...{ HOLDFAST_PKCS11_MODULE: '/nowhere.so', HOLDFAST_PKCS11_TOKEN: 't', HOLDFAST_PKCS11_PIN: '123456' },
    });
    // Without the addon it is that; with it, the module.
    expect(await checkRootKeys({ config })).toMatchObject({
      status: 'fail',
      detail: expect.stringMatching(/addon|module cannot be loaded/),
    });
  });
});
