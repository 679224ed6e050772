import { createSecretKey, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import fixture from '../../test-vectors/envelope-v1.json' with { type: 'json' };
import vectors from '../../test-vectors/gcm-kdf.json' with { type: 'json' };
import { encodeContext } from './encryption-context.ts';
import {
  decryptEnvelope,
  encryptEnvelope,
  ENVELOPE_OVERHEAD_BYTES,
  type EnvelopeKey,
  envelopeKeyName,
  InvalidCiphertext,
} from './envelope.ts';
import { deriveBlock, gcmDecrypt, gcmEncrypt } from './primitives.ts';

const hex = (text: string) => Buffer.from(text, 'hex');
const secret = (text: string) => createSecretKey(hex(text));
const newKey = (keyId = '1234abcd-12ab-34cd-56ef-1234567890ab'): EnvelopeKey => ({
  keyId,
  materialId: randomBytes(32).toString('hex'),
  material: createSecretKey(randomBytes(32)),
});
const key = newKey();
const anyContext = fc.dictionary(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), { maxKeys: 6 });

describe('published vectors', () => {
  it.each(vectors.gcm)('AES-256-GCM, $name', ({ key: k, iv, aad, pt, ct, tag }) => {
    expect(gcmEncrypt(secret(k), hex(iv), hex(aad), hex(pt)).toString('hex')).toBe(ct + tag);
    expect(gcmDecrypt(secret(k), hex(iv), hex(aad), hex(ct + tag))?.toString('hex')).toBe(pt);
  });

  it.each(vectors.kdf)('SP 800-108, counter mode, HMAC-SHA-256, $name', ({ key: k, fixed, out }) => {
    expect(deriveBlock(secret(k), hex(fixed)).toString('hex').slice(0, out.length)).toBe(out);
  });

  it('a tag shortened to what GCM would still allow is refused', () => {
    const zero = createSecretKey(Buffer.alloc(32));
    const sealed = gcmEncrypt(zero, Buffer.alloc(12), Buffer.alloc(0), Buffer.alloc(0));
    expect(gcmDecrypt(zero, Buffer.alloc(12), Buffer.alloc(0), sealed.subarray(0, 12))).toBeNull();
  });
});

describe('encryption context', () => {
  it('is the same bytes in any order', () => {
    fc.assert(
      fc.property(anyContext, (context) => {
        const reversed = Object.fromEntries(Object.entries(context).reverse());
        expect(encodeContext(reversed)).toEqual(encodeContext(context));
      }),
    );
  });

  it('never reads two contexts as one', () => {
    fc.assert(
      fc.property(anyContext, anyContext, (one, other) => {
        const sorted = (context: object) => JSON.stringify(Object.entries(context).sort());
        expect(encodeContext(one).equals(encodeContext(other))).toBe(sorted(one) === sorted(other));
      }),
    );
    expect(encodeContext({ a: 'bc' })).not.toEqual(encodeContext({ ab: 'c' }));
    expect(encodeContext({ a: '', b: '' })).not.toEqual(encodeContext({ a: 'b' }));
  });

  it('takes __proto__ and its like as ordinary names', () => {
    const odd = JSON.parse('{"__proto__":"x","constructor":"y"}') as Record<string, string>;
    expect(encodeContext(odd)).not.toEqual(encodeContext({ constructor: 'y' } as never));
    const blob = encryptEnvelope(key, Buffer.from('p'), odd);
    expect(() => decryptEnvelope(key, blob, {})).toThrow(InvalidCiphertext);
    expect(decryptEnvelope(key, blob, odd).toString()).toBe('p');
  });

  it('refuses lone surrogates, which UTF-8 cannot tell apart, and values that are no strings', () => {
    expect(() => encodeContext({ a: '\ud800' })).toThrow(TypeError);
    expect(() => encodeContext({ '\udc00': 'a' })).toThrow(TypeError);
    expect(() => encodeContext({ a: 1 } as never)).toThrow(TypeError);
  });
});

describe('envelope', () => {
  it('gives back what it was given, under the same key and context', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4096 }), anyContext, (plaintext, context) => {
        const blob = encryptEnvelope(key, plaintext, context);
        expect(blob.length).toBe(plaintext.length + ENVELOPE_OVERHEAD_BYTES);
        expect(new Uint8Array(decryptEnvelope(key, blob, context))).toEqual(plaintext);
      }),
    );
  });

  it('fits 4096 bytes into the 6144 that AWS allows a blob', () => {
    expect(encryptEnvelope(key, Buffer.alloc(4096), {}).length).toBeLessThanOrEqual(6144);
  });

  it('differs every time', () => {
    const blobs = Array.from({ length: 50 }, () => encryptEnvelope(key, Buffer.from('same'), {}).toString('hex'));
    expect(new Set(blobs).size).toBe(50);
  });

  it('names its key', () => {
    const { keyId, materialId } = key;
    expect(envelopeKeyName(encryptEnvelope(key, Buffer.from('p'), {}))).toEqual({ keyId, materialId });
    for (const odd of [Buffer.alloc(0), Buffer.from([1]), Buffer.alloc(200), randomBytes(200).fill(2, 0, 1)]) {
      expect(envelopeKeyName(odd)).toBeNull();
    }
  });

  it('any bit flipped is refused', () => {
    const blob = encryptEnvelope(key, Buffer.from('plaintext'), { a: 'b' });
    for (let bit = 0; bit < blob.length * 8; bit++) {
      const flipped = Buffer.from(blob);
      flipped[bit >> 3] = flipped[bit >> 3]! ^ (1 << (bit & 7));
      expect(() => decryptEnvelope(key, flipped, { a: 'b' })).toThrow(InvalidCiphertext);
    }
  });

  it('cut at any byte, or longer, is refused', () => {
    const blob = encryptEnvelope(key, Buffer.from('plaintext'), {});
    for (let length = 0; length < blob.length; length++) {
      expect(() => decryptEnvelope(key, blob.subarray(0, length), {})).toThrow(InvalidCiphertext);
    }
    expect(() => decryptEnvelope(key, Buffer.concat([blob, Buffer.from([0])]), {})).toThrow(InvalidCiphertext);
  });

  it('another context, another key and other material are refused', () => {
    fc.assert(
      fc.property(anyContext, anyContext, (one, other) => {
        fc.pre(!encodeContext(one).equals(encodeContext(other)));
        const blob = encryptEnvelope(key, Buffer.from('p'), one);
        expect(() => decryptEnvelope(key, blob, other)).toThrow(InvalidCiphertext);
      }),
    );
    const blob = encryptEnvelope(key, Buffer.from('p'), {});
    expect(() => decryptEnvelope({ ...key, material: createSecretKey(randomBytes(32)) }, blob, {})).toThrow(
      InvalidCiphertext,
    );
    expect(() => decryptEnvelope(newKey(), blob, {})).toThrow(InvalidCiphertext);
    expect(() => decryptEnvelope(newKey('other'), blob, {})).toThrow(InvalidCiphertext);
  });

  it('reads what version 1 wrote', () => {
    const { keyId, materialId, material, context, blob, plaintext } = fixture;
    const opened = decryptEnvelope({ keyId, materialId, material: secret(material) }, hex(blob), context);
    expect(opened.toString('utf8')).toBe(plaintext);
  });
});
