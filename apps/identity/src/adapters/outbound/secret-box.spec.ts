import { createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { SecretBox } from './secret-box.ts';
import { secretsKeysOf } from './secrets-keys.ts';

const newKey = () => randomBytes(32).toString('base64');
const keysOf = (...keys: string[]) => secretsKeysOf(keys.map((key) => Buffer.from(key, 'base64')));
const secret = Buffer.from('wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY');

describe('a secret box', () => {
  it('is opened with its binding and purpose only, and never twice the same', () => {
    const keys = keysOf(newKey());
    const box = new SecretBox(keys, 'access-key');
    const sealed = box.seal(secret, 'AKIA1');
    expect(box.open(sealed, 'AKIA1')).toEqual(secret);
    expect(box.open(sealed, 'AKIA2')).toBeNull();
    expect(new SecretBox(keys, 'marker').open(sealed, 'AKIA1')).toBeNull();
    expect(box.seal(secret, 'AKIA1')).not.toEqual(sealed);
    expect(sealed.includes(secret)).toBe(false);
  });

  it('is AES-256-GCM as documented, opened by hand', () => {
    const key = randomBytes(32);
    const sealed = new SecretBox(keysOf(key.toString('base64')), 'p').seal(secret, 'b');
    const derived = Buffer.from(hkdfSync('sha256', key, '', 'holdfast/identity/box/p', 32));
    const decipher = createDecipheriv('aes-256-gcm', derived, sealed.subarray(9, 21))
      .setAAD(Buffer.concat([sealed.subarray(0, 9), Buffer.from('b')]))
      .setAuthTag(sealed.subarray(-16));
    expect(Buffer.concat([decipher.update(sealed.subarray(21, -16)), decipher.final()])).toEqual(secret);
  });

  it('cut at any byte or with any bit flipped is not opened', () => {
    const box = new SecretBox(keysOf(newKey()), 'p');
    const sealed = box.seal(secret, 'b');
    for (let length = 0; length < sealed.length; length++) expect(box.open(sealed.subarray(0, length), 'b')).toBeNull();
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const flipped = Buffer.from(sealed);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(box.open(flipped, 'b')).toBeNull();
    }
  });

  it('is opened after its key was followed by another, and not after it was taken away', () => {
    const [former, current] = [newKey(), newKey()];
    const sealed = new SecretBox(keysOf(former), 'p').seal(secret, 'b');
    expect(new SecretBox(keysOf(current, former), 'p').open(sealed, 'b')).toEqual(secret);
    expect(new SecretBox(keysOf(current), 'p').open(sealed, 'b')).toBeNull();
  });
});
