import { createCipheriv, createDecipheriv, createHash, createSecretKey } from 'node:crypto';
import type { SectorCipher } from '../block-device.ts';
import { isZero, UNIT_SIZE_BYTES } from '../geometry.ts';

/** AES-256-XTS straight from Node: this library must not see the one that handles real keys. */
export const testCipher = (name: string): SectorCipher => {
  const key = createSecretKey(createHash('sha512').update(name).digest());
  const run =
    (encrypting: boolean): SectorCipher['encrypt'] =>
    (bytes, offset, length, firstUnit) => {
      for (let at = 0; at < length; at += UNIT_SIZE_BYTES) {
        const unit = bytes.subarray(offset + at, offset + at + UNIT_SIZE_BYTES);
        if (!encrypting && isZero(unit)) continue;
        const tweak = Buffer.alloc(16);
        tweak.writeBigUInt64LE(BigInt(firstUnit + at / UNIT_SIZE_BYTES));
        const make = encrypting ? createCipheriv : createDecipheriv;
        make('aes-256-xts', key, tweak).update(unit).copy(unit);
      }
    };
  return { encrypt: run(true), decrypt: run(false) };
};
