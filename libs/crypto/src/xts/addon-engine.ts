import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { nodeCryptoEngine } from './node-crypto-engine.ts';
import { checkUnits, checkXtsKey, DATA_UNIT_BYTES, type SectorCipher, type XtsEngine } from './sector-cipher.ts';

/** What libs/crypto/native/xts.c exports. */
interface XtsAddon {
  create(key: Buffer, unitBytes: number): NativeCipher;
  crypt(
    cipher: NativeCipher,
    buffer: Buffer,
    offset: number,
    length: number,
    firstUnit: number,
    encrypt: boolean,
  ): void;
  destroy(cipher: NativeCipher): void;
}
declare const nativeCipher: unique symbol;
type NativeCipher = { readonly [nativeCipher]: true };

/** From the sources, and from a bundle in dist/ or a folder of it. */
const ADDON_PATHS = [
  '../../native/build/xts.node',
  '../libs/crypto/native/build/xts.node',
  '../../libs/crypto/native/build/xts.node',
];

/**
 * Loads the addon that `npm ci` built.
 * @returns why it can't be used instead of throwing: the reason is for a log, and the other engine does the work.
 */
export const loadAddonEngine = (): { engine: XtsEngine } | { unavailable: string } => {
  const path = ADDON_PATHS.map((relative) => fileURLToPath(new URL(relative, import.meta.url))).find(existsSync);
  if (path === undefined) return { unavailable: 'it was not built at install' };
  try {
    const addon = createRequire(import.meta.url)(path) as XtsAddon;
    const engine: XtsEngine = {
      name: 'openssl-addon',
      createCipher: (key, unitBytes = DATA_UNIT_BYTES) => new AddonCipher(addon, key, unitBytes),
    };
    return agrees(engine) ? { engine } : { unavailable: 'it does not agree with node:crypto' };
  } catch (error) {
    return { unavailable: error instanceof Error ? error.message : String(error) };
  }
};

class AddonCipher implements SectorCipher {
  readonly #addon: XtsAddon;
  readonly #unitBytes: number;
  readonly #cipher: NativeCipher;

  constructor(addon: XtsAddon, key: Buffer, unitBytes: number) {
    checkXtsKey(key, unitBytes);
    this.#addon = addon;
    this.#unitBytes = unitBytes;
    this.#cipher = addon.create(key, unitBytes);
  }

  encrypt(buffer: Buffer, offset: number, length: number, firstUnit: number): void {
    checkUnits(buffer, offset, length, firstUnit, this.#unitBytes);
    this.#addon.crypt(this.#cipher, buffer, offset, length, firstUnit, true);
  }

  decrypt(buffer: Buffer, offset: number, length: number, firstUnit: number): void {
    checkUnits(buffer, offset, length, firstUnit, this.#unitBytes);
    this.#addon.crypt(this.#cipher, buffer, offset, length, firstUnit, false);
  }

  destroy(): void {
    this.#addon.destroy(this.#cipher);
  }
}

/** Whoever compiled the addon, no volume is encrypted with it unless it computes what node:crypto does. */
const agrees = (engine: XtsEngine): boolean => {
  const key = randomBytes(64);
  const ciphers = [engine.createCipher(key), nodeCryptoEngine.createCipher(key)] as const;
  const plaintext = randomBytes(3 * DATA_UNIT_BYTES);
  const firstUnit = 0xffff_ffff;
  const [ours, theirs] = ciphers.map((cipher) => {
    const copy = Buffer.from(plaintext);
    cipher.encrypt(copy, 0, copy.length, firstUnit);
    return copy;
  });
  const isSame = ours !== undefined && theirs !== undefined && ours.equals(theirs);
  if (isSame) ciphers[0].decrypt(ours, 0, ours.length, firstUnit);
  for (const cipher of ciphers) cipher.destroy();
  return isSame && ours.equals(plaintext);
};
