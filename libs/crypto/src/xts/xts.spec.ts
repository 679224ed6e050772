import { createCipheriv, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadAddonEngine } from './addon-engine.ts';
import { nodeCryptoEngine } from './node-crypto-engine.ts';
import { DATA_UNIT_BYTES, type SectorCipher, type XtsEngine } from './sector-cipher.ts';
import { selectXtsEngine } from './select-engine.ts';

const published = JSON.parse(
  readFileSync(new URL('../../test-vectors/ieee-1619-xts-aes-256.json', import.meta.url), 'utf8'),
) as { key: string; vectors: { number: number; unit: number; ciphertext: string }[] };

const loaded = loadAddonEngine();
const addon = 'engine' in loaded ? loaded.engine : null;
const engines: [string, XtsEngine][] = [['node-crypto', nodeCryptoEngine]];
if (addon === null) process.stderr.write('NOT RUN: the vectors on the XTS addon, which is not built here\n');
else engines.push(['openssl-addon', addon]);

const KEY = Buffer.from(Array.from({ length: 64 }, (_, i) => i * 3 + 1));
const UNIT = DATA_UNIT_BYTES;

const encrypted = (cipher: SectorCipher, plaintext: Buffer, firstUnit: number): Buffer => {
  const copy = Buffer.from(plaintext);
  cipher.encrypt(copy, 0, copy.length, firstUnit);
  return copy;
};

describe.each(engines)('%s', (_, engine) => {
  it.each(published.vectors)('computes vector $number of IEEE 1619', ({ unit, ciphertext }) => {
    const cipher = engine.createCipher(Buffer.from(published.key, 'hex'), 512);
    const plaintext = Buffer.from(Array.from({ length: 512 }, (__, i) => i % 256));
    const bytes = encrypted(cipher, plaintext, unit);
    expect(bytes.toString('hex')).toBe(ciphertext);
    cipher.decrypt(bytes, 0, 512, unit);
    expect(bytes.equals(plaintext)).toBe(true);
  });

  it('counts units beyond 32 bits', () => {
    const plaintext = randomBytes(4 * UNIT);
    const firstUnit = 2 ** 32 - 2;
    const bytes = encrypted(engine.createCipher(KEY), plaintext, firstUnit);
    for (let i = 0; i < 4; i += 1) {
      const tweak = Buffer.alloc(16);
      tweak.writeBigUInt64LE(BigInt(firstUnit + i));
      const expected = createCipheriv('aes-256-xts', KEY, tweak).update(plaintext.subarray(i * UNIT, (i + 1) * UNIT));
      expect(bytes.subarray(i * UNIT, (i + 1) * UNIT).equals(expected)).toBe(true);
    }
  });

  it('touches nothing outside its range', () => {
    const cipher = engine.createCipher(KEY);
    const bytes = randomBytes(3 * UNIT + 28);
    const before = Buffer.from(bytes);
    cipher.encrypt(bytes, 28 + UNIT, UNIT, 7);
    expect(bytes.subarray(0, 28 + UNIT).equals(before.subarray(0, 28 + UNIT))).toBe(true);
    expect(bytes.subarray(28 + 2 * UNIT).equals(before.subarray(28 + 2 * UNIT))).toBe(true);
    expect(bytes.equals(before)).toBe(false);
    cipher.decrypt(bytes, 28 + UNIT, UNIT, 7);
    expect(bytes.equals(before)).toBe(true);
  });

  it('reads units that were never written as zeros, beside units that were', () => {
    const cipher = engine.createCipher(KEY);
    const bytes = Buffer.alloc(4 * UNIT);
    cipher.encrypt(bytes, UNIT, UNIT, 1); // Zeros that were written have a ciphertext.
    expect(bytes.subarray(UNIT, 2 * UNIT).equals(Buffer.alloc(UNIT))).toBe(false);
    bytes.writeUInt8(1, 3 * UNIT + UNIT - 1); // Not all zeros, if only by its last byte.
    cipher.decrypt(bytes, 0, bytes.length, 0);
    expect(bytes.subarray(0, 3 * UNIT).equals(Buffer.alloc(3 * UNIT))).toBe(true);
    expect(bytes.subarray(3 * UNIT, 3 * UNIT + 8).equals(Buffer.alloc(8))).toBe(false);
  });

  it('refuses keys that are no XTS keys', () => {
    expect(() => engine.createCipher(Buffer.alloc(32, 1))).toThrow(RangeError);
    expect(() => engine.createCipher(Buffer.alloc(64, 1))).toThrow('halves');
    expect(() => engine.createCipher(KEY, 4095)).toThrow(RangeError);
    expect(() => engine.createCipher(KEY, 0)).toThrow(RangeError);
  });

  it.each([
    ['a part of a unit', 0, UNIT - 1, 0],
    ['a range beyond the end', UNIT, 2 * UNIT, 0],
    ['a negative offset', -UNIT, UNIT, 0],
    ['a negative length', UNIT, -UNIT, 0],
    ['a fractional offset', 0.5, UNIT, 0],
    ['no number', Number.NaN, UNIT, 0],
    ['no length', 0, Number.NaN, 0],
    ['a negative unit', 0, UNIT, -1],
    ['a fractional unit', 0, UNIT, 0.5],
    ['a unit beyond the safe integers', 0, UNIT, Number.MAX_SAFE_INTEGER],
  ])('refuses %s and changes nothing', (__, offset, length, firstUnit) => {
    const cipher = engine.createCipher(KEY);
    const bytes = Buffer.alloc(2 * UNIT, 0x5a);
    expect(() => cipher.encrypt(bytes, offset, length, firstUnit)).toThrow(RangeError);
    expect(() => cipher.decrypt(bytes, offset, length, firstUnit)).toThrow(RangeError);
    expect(bytes.equals(Buffer.alloc(2 * UNIT, 0x5a))).toBe(true);
  });

  it('can not be used after it was destroyed', () => {
    const cipher = engine.createCipher(KEY);
    cipher.destroy();
    cipher.destroy();
    expect(() => cipher.encrypt(Buffer.alloc(UNIT), 0, UNIT, 0)).toThrow('destroyed');
    expect(() => cipher.decrypt(Buffer.alloc(UNIT), 0, UNIT, 0)).toThrow('destroyed');
  });

  it('copies its key, so that the caller can zero it', () => {
    const key = Buffer.from(KEY);
    const cipher = engine.createCipher(key);
    key.fill(0);
    const plaintext = randomBytes(UNIT);
    expect(encrypted(cipher, plaintext, 3).equals(encrypted(engine.createCipher(KEY), plaintext, 3))).toBe(true);
  });
});

describe('the addon', () => {
  it('is what is selected where it was built, and the choice gives a reason otherwise', () => {
    const { engine, fallbackReason } = selectXtsEngine();
    expect(engine.name).toBe(addon === null ? 'node-crypto' : 'openssl-addon');
    expect(fallbackReason === null).toBe(addon !== null);
  });

  it.skipIf(addon === null)('agrees with node:crypto on every unit', () => {
    const unit = fc.oneof(
      fc.nat({ max: Number.MAX_SAFE_INTEGER - 4 }),
      fc.integer({ min: 2 ** 32 - 4, max: 2 ** 32 + 4 }),
    );
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 64, maxLength: 64 }),
        unit,
        fc.integer({ min: 1, max: 3 }),
        (k, first, n) => {
          const key = Buffer.from(k);
          fc.pre(!key.subarray(0, 32).equals(key.subarray(32)));
          const plaintext = randomBytes(n * UNIT);
          const ours = addon!.createCipher(key);
          const theirs = nodeCryptoEngine.createCipher(key);
          const bytes = encrypted(ours, plaintext, first);
          expect(bytes.equals(encrypted(theirs, plaintext, first))).toBe(true);
          theirs.decrypt(bytes, 0, bytes.length, first);
          expect(bytes.equals(plaintext)).toBe(true);
        },
      ),
    );
  });

  // Its callers check as well; memory must be safe even from a mistake of theirs.
  describe.skipIf(addon === null)('refuses by itself', () => {
    type Native = Record<'create' | 'crypt' | 'destroy', (...args: unknown[]) => unknown>;
    const load = () => createRequire(import.meta.url)('../../native/build/xts.node') as Native;
    const bytes = Buffer.alloc(2 * UNIT, 7);

    it.each<[string, unknown[]]>([
      ['a range beyond the end', [bytes, UNIT, 2 * UNIT, 0, true]],
      ['an offset beyond the end', [bytes, 2 * UNIT + 1, 0, 0, true]],
      ['a negative offset', [bytes, -1, UNIT, 0, true]],
      ['a negative length', [bytes, UNIT, -UNIT, 0, true]],
      ['an end that overflows', [bytes, Number.MAX_SAFE_INTEGER, UNIT, 0, true]],
      ['a length of 2^63', [bytes, 0, 2 ** 63, 0, true]],
      ['a part of a unit', [bytes, 0, UNIT + 16, 0, true]],
      ['a negative unit', [bytes, 0, UNIT, -1, true]],
      ['a unit beyond the safe integers', [bytes, 0, 2 * UNIT, Number.MAX_SAFE_INTEGER, true]],
      ['what is no buffer', [{}, 0, UNIT, 0, true]],
      ['a number that is a string', [bytes, '0', UNIT, 0, true]],
      ['a direction that is a number', [bytes, 0, UNIT, 0, 1]],
      ['a missing argument', [bytes, 0, UNIT, 0]],
    ])('%s', (_, args) => {
      const native = load();
      const cipher = native.create(KEY, UNIT);
      expect(() => native.crypt(cipher, ...args)).toThrow();
      expect(bytes.equals(Buffer.alloc(2 * UNIT, 7))).toBe(true);
    });

    it('what is no cipher, or no key', () => {
      const native = load();
      for (const none of [undefined, null, 1, {}, bytes]) {
        expect(() => native.crypt(none, bytes, 0, UNIT, 0, true)).toThrow('not a cipher');
        expect(() => native.destroy(none)).toThrow('not a cipher');
      }
      for (const [key, unitBytes] of [
        [KEY.subarray(1), UNIT],
        ['key', UNIT],
        [KEY, 0],
        [KEY, 17],
        [KEY, 2 ** 32],
        [KEY, -16],
      ]) {
        expect(() => native.create(key, unitBytes)).toThrow();
      }
    });
  });
});
