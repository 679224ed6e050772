import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Pkcs11Options, pkcs11Provider } from './settings.ts';
import { type SoftHsm, startSoftHsm } from '../testing/soft-hsm.ts';
import { InvalidWrapping, UnknownRootKeyVersion } from '../types.ts';
import { loadPkcs11Addon } from './addon.ts';
import type { Pkcs11Provider } from './provider.ts';

let hsm: SoftHsm;
let folder: string;
let token: Pkcs11Options;
let locked: Pkcs11Options;
let foreign: Pkcs11Options;
const opened: Pkcs11Provider[] = [];
/** As another process would open the same token. */
const open = (options: Pkcs11Options = token, service = 'kms'): Pkcs11Provider => {
  const provider = pkcs11Provider(options, service);
  opened.push(provider);
  return provider;
};

beforeAll(async () => {
  hsm = await startSoftHsm();
  folder = await mkdtemp(join(tmpdir(), 'holdfast-pkcs11-'));
  // SoftHSM sees the tokens that were there when it was loaded.
  token = await hsm.newToken('holdfast', '123456');
  locked = await hsm.newToken('locked', '654321');
  foreign = await hsm.newToken('foreign', '123456');
}, 300_000);
afterAll(async () => {
  for (const provider of opened) await provider.close();
  await hsm.remove();
  await rm(folder, { recursive: true });
});

const secret = randomBytes(2400);
const binding = Buffer.from('its row');

describe('a root key in a token', () => {
  it('is made there, cannot be taken out, and wraps', async () => {
    const provider = open();
    expect(await provider.versions()).toEqual([]);
    const { versionId, location } = await provider.create();
    expect(location).toMatch(/^holdfast-kms\/[0-9a-f]{8}$/);
    const addon = loadPkcs11Addon();
    const raw = await addon.open(Buffer.from(hsm.module), Buffer.from('holdfast'), Buffer.from('123456'));
    expect(await addon.list(raw)).toEqual([
      { label: location, id: Buffer.from(versionId, 'hex'), bytes: 32, staysInside: true },
    ]);
    await addon.close(raw);
    const wrapped = await provider.wrap(versionId, secret, binding);
    expect(wrapped.subarray(2, 18).toString('hex')).toBe(versionId);
    expect(wrapped.includes(secret.subarray(0, 16))).toBe(false);
    expect(await provider.unwrap(wrapped, binding)).toEqual(secret);
    expect((await provider.wrap(versionId, secret, binding)).equals(wrapped)).toBe(false);
  });

  it('opens nothing with other additional data, nothing altered, and nothing cut', async () => {
    const provider = open();
    const [{ versionId } = { versionId: '' }] = await provider.versions();
    const wrapped = await provider.wrap(versionId, Buffer.from('short'), binding);
    await expect(provider.unwrap(wrapped, Buffer.from('another row'))).rejects.toThrow(InvalidWrapping);
    await expect(provider.unwrap(wrapped, Buffer.alloc(0))).rejects.toThrow(InvalidWrapping);
    for (let i = 0; i < wrapped.length; i++) {
      const altered = Buffer.from(wrapped);
      altered[i] = altered[i]! ^ 0x10;
      const refusal = i >= 2 && i < 18 ? UnknownRootKeyVersion : InvalidWrapping;
      await expect(provider.unwrap(altered, binding), `byte ${String(i)}`).rejects.toThrow(refusal);
      await expect(provider.unwrap(wrapped.subarray(0, i), binding), `${String(i)} bytes`).rejects.toThrow(
        InvalidWrapping,
      );
    }
    expect((await provider.unwrap(wrapped, binding)).toString()).toBe('short');
  });

  it('has versions that another process finds, until they are destroyed', async () => {
    const [mine, other] = [open(), open()];
    await mine.versions();
    const { versionId } = await mine.create();
    const wrapped = await mine.wrap(versionId, secret, binding);
    await expect(other.unwrap(wrapped, binding)).rejects.toThrow(UnknownRootKeyVersion);
    expect((await other.versions()).map((version) => version.versionId)).toContain(versionId);
    expect(await other.unwrap(wrapped, binding)).toEqual(secret);
    await mine.destroy(versionId);
    await mine.destroy(versionId);
    await expect(other.unwrap(wrapped, binding)).rejects.toThrow(UnknownRootKeyVersion);
    expect((await other.versions()).map((version) => version.versionId)).not.toContain(versionId);
  });

  it('is another one for each service', async () => {
    const identity = open(token, 'identity');
    expect(await identity.versions()).toEqual([]);
    const { versionId } = await identity.create();
    expect((await open().versions()).map((version) => version.versionId)).not.toContain(versionId);
  });

  it('is used by many at once', async () => {
    const provider = open();
    const [{ versionId } = { versionId: '' }] = await provider.versions();
    const texts = Array.from({ length: 200 }, (_, i) => Buffer.from(`secret ${String(i)}`));
    const wrapped = await Promise.all(texts.map((text) => provider.wrap(versionId, text, binding)));
    expect(await Promise.all(wrapped.map((blob) => provider.unwrap(blob, binding)))).toEqual(texts);
  });

  it('goes on after its sessions were lost', async () => {
    const provider = open();
    const [{ versionId } = { versionId: '' }] = await provider.versions();
    const wrapped = await provider.wrap(versionId, secret, binding);
    await provider.close();
    expect(await provider.unwrap(wrapped, binding)).toEqual(secret);
  });
});

describe('a token that cannot be used', () => {
  it.each([
    ['another token', () => ({ ...token, token: 'absent' }), 'token absent: C_GetTokenInfo: no such token'],
    ['no module', () => ({ ...token, module: '/nowhere.so' }), /the module cannot be loaded \(\/nowhere\.so/],
    ['no PKCS#11 module', () => ({ ...token, module: process.execPath }), 'the module cannot be loaded'],
    ['no file with a PIN', () => ({ ...token, pin: undefined, pinFile: '/nowhere' }), 'the PIN cannot be read'],
  ])('is told in one line: %s', async (_, options, message) => {
    await expect(open(options()).versions()).rejects.toThrow(message);
  });

  it('is not shown a wrong PIN twice, nor is the PIN in the message', async () => {
    const provider = open({ ...locked, pin: 'wrong-pin' });
    for (let i = 0; i < 20; i++) {
      const error = await provider.versions().catch((reason: unknown) => String(reason));
      expect(error).toBe('RootKeyError: token locked: C_Login: CKR_PIN_INCORRECT');
    }
    const pinFile = join(folder, 'pin');
    await writeFile(pinFile, '654321\n', { mode: 0o600 });
    expect(await open({ ...locked, pin: undefined, pinFile }).versions()).toEqual([]);
  });

  it('is one with a key of another size', async () => {
    const file = join(folder, 'aes');
    await writeFile(file, 'sixteen letters!');
    const into = ['--token', 'foreign', '--pin', '123456', '--label', 'holdfast-kms', '--id', 'AB'];
    await hsm.util('--import', file, '--aes', ...into);
    await expect(open(foreign).versions()).rejects.toThrow(
      'key holdfast-kms of token foreign has 16 bytes: it must be an AES-256 key',
    );
  });

  it('is none at all without the addon', () => {
    expect(() => loadPkcs11Addon([join(folder, 'absent.node')])).toThrow(
      /addon that was not built at install: install a C/,
    );
    expect(() => loadPkcs11Addon([hsm.module])).toThrow('addon that cannot be loaded');
  });
});
