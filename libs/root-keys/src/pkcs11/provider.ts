import { randomBytes } from 'node:crypto';
import {
  InvalidWrapping,
  type RootKeyProvider,
  RootKeyError,
  type RootKeyVersion,
  UnknownRootKeyVersion,
} from '../types.ts';
import { isVersionId, newHeader, parseWrapped, randomBytesOf } from '../wrapped-blob.ts';
import { loadPkcs11Addon, type Pkcs11Addon, type Token } from './addon.ts';

export interface Pkcs11Settings {
  /** Path of the module, a shared library. */
  readonly module: string;
  readonly tokenLabel: string;
  /** Asked for whenever the token is opened. */
  readonly pin: () => Promise<Buffer>;
  /** Versions are keys of this label, or of one that goes on with a slash. */
  readonly keyLabel: string;
}

const KEY_BYTES = 32;
const VERSION_ID_BYTES = 16;
/** PKCS#11 2.40, 11.1, and the addon's own from 0x80480001. */
const RESULTS: Readonly<Record<number, string>> = {
  0x5: 'CKR_GENERAL_ERROR',
  0x30: 'CKR_DEVICE_ERROR',
  0x32: 'CKR_DEVICE_REMOVED',
  0x40: 'CKR_ENCRYPTED_DATA_INVALID',
  0x41: 'CKR_ENCRYPTED_DATA_LEN_RANGE',
  0x70: 'CKR_MECHANISM_INVALID',
  0xa0: 'CKR_PIN_INCORRECT',
  0xa4: 'CKR_PIN_LOCKED',
  0xb3: 'CKR_SESSION_HANDLE_INVALID',
  0xe0: 'CKR_TOKEN_NOT_PRESENT',
  0x101: 'CKR_USER_NOT_LOGGED_IN',
  0x8048_0001: 'no such token',
  0x8048_0002: 'no such key',
  0x8048_0003: 'the module cannot be loaded',
};
const NO_SUCH_KEY = 0x8048_0002;
/** What a token says of altered ciphertext or other additional data: SoftHSM the first, others the others. */
const MAY_BE_INVALID: readonly number[] = [0x5, 0x40, 0x41];

const IS_ABOUT_PIN: readonly number[] = [0xa0, 0xa1, 0xa2, 0xa4];

const resultOf = (error: unknown): number => (error as { result?: number } | undefined)?.result ?? 0;

/** Versions as AES keys in a token, which they never leave: the token itself encrypts, AES-256-GCM, under an IV of ours. */
export class Pkcs11Provider implements RootKeyProvider {
  readonly kind = 'pkcs11';
  readonly origin: string;
  /** Labels by version. */
  private labels = new Map<string, string>();
  private token: Promise<Token> | undefined;
  private refusal: unknown;

  /** @throws RootKeyError when the addon is not there */
  constructor(
    private readonly settings: Pkcs11Settings,
    private readonly addon: Pkcs11Addon = loadPkcs11Addon(),
  ) {
    this.origin = `token ${settings.tokenLabel}`;
  }

  async versions(): Promise<readonly RootKeyVersion[]> {
    const keys = await this.ask((token) => this.addon.list(token));
    const { keyLabel } = this.settings;
    const ours = keys.filter(({ label }) => label === keyLabel || label.startsWith(`${keyLabel}/`));
    for (const { label, id, bytes, staysInside } of ours) {
      const where = `key ${label} of ${this.origin}`;
      if (bytes !== KEY_BYTES) throw new RootKeyError(`${where} has ${String(bytes)} bytes: it must be an AES-256 key`);
      if (!staysInside) throw new RootKeyError(`${where} can be taken out: it must be sensitive and not extractable`);
      if (!isVersionId(id.toString('hex')))
        throw new RootKeyError(`${where} must have an id (CKA_ID) of 1 to 32 bytes`);
    }
    const found = ours.map(({ label, id }) => ({ versionId: id.toString('hex'), location: label }));
    if (new Set(found.map(({ versionId }) => versionId)).size < found.length) {
      throw new RootKeyError(`${this.origin} has two keys ${keyLabel} with one id (CKA_ID)`);
    }
    this.labels = new Map(found.map(({ versionId, location }) => [versionId, location]));
    return found.sort((a, b) => (a.versionId < b.versionId ? -1 : 1));
  }

  async create(): Promise<RootKeyVersion> {
    const id = randomBytes(VERSION_ID_BYTES);
    const versionId = id.toString('hex');
    const location = `${this.settings.keyLabel}/${versionId.slice(0, 8)}`;
    await this.ask((token) => this.addon.generate(token, Buffer.from(location, 'utf8'), id));
    this.labels.set(versionId, location);
    return { versionId, location };
  }

  async destroy(versionId: string): Promise<void> {
    await this.versions();
    const name = this.labels.has(versionId) ? this.nameOf(versionId) : undefined;
    if (name !== undefined) await this.ask((token) => this.addon.destroy(token, name.label, name.id));
    this.labels.delete(versionId);
  }

  async wrap(versionId: string, plaintext: Uint8Array, additionalData: Uint8Array): Promise<Buffer> {
    const { label, id } = this.nameOf(versionId);
    const { header, iv } = newHeader(versionId, 'direct', randomBytes(randomBytesOf('direct')));
    const bytes = Buffer.from(plaintext);
    const aad = Buffer.concat([header, additionalData]);
    try {
      const sealed = await this.ask((token) => this.addon.encrypt(token, label, id, iv, aad, bytes), versionId);
      return Buffer.concat([header, sealed]);
    } finally {
      bytes.fill(0);
    }
  }

  async unwrap(wrapped: Uint8Array, additionalData: Uint8Array): Promise<Buffer> {
    const { versionId, header, iv, sealed } = parseWrapped(wrapped, 'direct');
    const { label, id } = this.nameOf(versionId);
    const aad = Buffer.concat([header, additionalData]);
    try {
      return await this.ask((token) => this.addon.decrypt(token, label, id, iv, aad, sealed), versionId);
    } catch (error) {
      const cause = (error as Error).cause;
      // Some tokens have one word for altered data and for trouble of their own: a token in order is asked what it can do.
      if (!MAY_BE_INVALID.includes(resultOf(cause))) throw error;
      await this.wrap(versionId, Buffer.alloc(KEY_BYTES), additionalData);
      throw new InvalidWrapping();
    }
  }

  async close(): Promise<void> {
    const token = await this.token?.catch(() => undefined);
    this.token = undefined;
    if (token !== undefined) await this.addon.close(token);
  }

  private nameOf(versionId: string): { label: Buffer; id: Buffer } {
    const label = this.labels.get(versionId);
    if (label === undefined) throw new UnknownRootKeyVersion(versionId);
    return { label: Buffer.from(label, 'utf8'), id: Buffer.from(versionId, 'hex') };
  }

  private open(): Promise<Token> {
    this.token ??= this.openToken();
    this.token.catch(() => (this.token = undefined));
    return this.token;
  }

  private async openToken(): Promise<Token> {
    // A token locks itself after some wrong PINs, so one that was wrong once is not shown again.
    if (this.refusal !== undefined) throw this.refusal;
    const { module, tokenLabel, pin: readPin } = this.settings;
    const pin = await readPin();
    try {
      return await this.addon.open(Buffer.from(module, 'utf8'), Buffer.from(tokenLabel, 'utf8'), pin);
    } catch (error) {
      if (IS_ABOUT_PIN.includes(resultOf(error))) this.refusal = error;
      throw error;
    } finally {
      pin.fill(0);
    }
  }

  /** Closes a token that does not answer any more, unless that has been done meanwhile. */
  private async drop(token: Token): Promise<void> {
    if ((await this.token?.catch(() => undefined)) !== token) return;
    this.token = undefined;
    await this.addon.close(token);
  }

  /** Tries once more on a login of its own: a session ends when a token is taken out or its server starts anew. */
  private async ask<T>(work: (token: Token) => Promise<T>, versionId?: string): Promise<T> {
    try {
      const token = await this.open();
      return await work(token).catch(async (error: unknown) => {
        if (MAY_BE_INVALID.includes(resultOf(error))) throw error;
        await this.drop(token);
        return work(await this.open());
      });
    } catch (error) {
      if (error instanceof RootKeyError) throw error;
      const { call = '', message } = error as { call?: string; message: string };
      const result = resultOf(error);
      if (result === NO_SUCH_KEY && versionId !== undefined) throw new UnknownRootKeyVersion(versionId);
      const code = RESULTS[result] ?? `0x${result.toString(16)}`;
      throw new RootKeyError(`${this.origin}: ${call}: ${code}${message === call ? '' : ` (${message})`}`, {
        cause: error,
      });
    }
  }
}
