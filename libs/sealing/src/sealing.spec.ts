import { createCipheriv, createDecipheriv, createECDH, createHmac, randomBytes } from 'node:crypto';
import { Aes128Gcm, CipherSuite, DhkemP256HkdfSha256, HkdfSha256 } from '@hpke/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import vector from '../test-vectors/rfc9180-a3.json' with { type: 'json' };
import { deriveRecipient, generateRecipient, MAX_PLAINTEXT_BYTES, seal, SealingFailed } from './index.ts';

// RFC 9180's key schedule written a second time, over node:crypto alone. Appendix A.3 proves it right for AES-128-GCM (the
// RFC prints no AES-256-GCM vector for P-256); then it judges what our suite makes, where only the AEAD differs.
const hex = (text: string) => Buffer.from(text, 'hex');
const hmac = (key: Buffer, data: Buffer) => createHmac('sha256', key).update(data).digest();
const extract = (suiteId: Buffer, salt: Buffer, label: string, ikm: Buffer) =>
  hmac(
    salt.length ? salt : Buffer.alloc(32),
    Buffer.concat([Buffer.from('HPKE-v1'), suiteId, Buffer.from(label), ikm]),
  );
const expand = (suiteId: Buffer, prk: Buffer, label: string, info: Buffer, length: number) => {
  const size = Buffer.from([length >> 8, length & 255]);
  const labelled = Buffer.concat([size, Buffer.from('HPKE-v1'), suiteId, Buffer.from(label), info]);
  return hmac(prk, Buffer.concat([labelled, Buffer.from([1])])).subarray(0, length);
};
const schedule = (
  aeadId: number,
  keyBytes: number,
  privateKey: Buffer,
  enc: Buffer,
  publicKey: Buffer,
  info: Buffer,
) => {
  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(privateKey);
  const kemId = Buffer.from('KEM\x00\x10', 'latin1');
  const prk = extract(kemId, Buffer.alloc(0), 'eae_prk', ecdh.computeSecret(enc));
  const sharedSecret = expand(kemId, prk, 'shared_secret', Buffer.concat([enc, publicKey]), 32);
  const suiteId = Buffer.concat([Buffer.from('HPKE'), Buffer.from([0, 0x10, 0, 1, 0, aeadId])]);
  const none = Buffer.alloc(0);
  const context = Buffer.concat([
    Buffer.from([0]),
    extract(suiteId, none, 'psk_id_hash', none),
    extract(suiteId, none, 'info_hash', info),
  ]);
  const secret = extract(suiteId, sharedSecret, 'secret', none);
  return {
    sharedSecret,
    exporterSecret: expand(suiteId, secret, 'exp', context, 32),
    exported: (exporterContext: Buffer, length: number) =>
      expand(suiteId, expand(suiteId, secret, 'exp', context, 32), 'sec', exporterContext, length),
    key: expand(suiteId, secret, 'key', context, keyBytes),
    nonce: expand(suiteId, secret, 'base_nonce', context, 12),
  };
};

describe('RFC 9180', () => {
  const { encryption } = vector;

  it('A.3: the library derives, seals and opens as published', async () => {
    const suite = new CipherSuite({ kem: new DhkemP256HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes128Gcm() });
    const keys = await suite.kem.deriveKeyPair(hex(vector.ikmR));
    expect(Buffer.from(await suite.kem.serializePublicKey(keys.publicKey)).toString('hex')).toBe(vector.pkRm);
    expect(Buffer.from(await suite.kem.serializePrivateKey(keys.privateKey)).toString('hex')).toBe(vector.skRm);
    const sealed = await suite.seal(
      { recipientPublicKey: keys.publicKey, info: hex(vector.info), ekm: hex(vector.ikmE) },
      hex(encryption.pt),
      hex(encryption.aad),
    );
    expect(Buffer.from(sealed.enc).toString('hex')).toBe(vector.enc);
    expect(Buffer.from(sealed.ct).toString('hex')).toBe(encryption.ct);
  });

  it('A.3: the second implementation agrees', () => {
    const made = schedule(1, 16, hex(vector.skRm), hex(vector.enc), hex(vector.pkRm), hex(vector.info));
    expect(made.sharedSecret.toString('hex')).toBe(vector.shared_secret);
    expect(made.key.toString('hex')).toBe(vector.key);
    expect(made.nonce.toString('hex')).toBe(vector.base_nonce);
    const cipher = createCipheriv('aes-128-gcm', made.key, made.nonce).setAAD(hex(encryption.aad));
    const ct = Buffer.concat([cipher.update(hex(encryption.pt)), cipher.final(), cipher.getAuthTag()]);
    expect(ct.toString('hex')).toBe(encryption.ct);
  });

  it('derives the published public key from the published seed', async () => {
    const { publicKeyBase64 } = await deriveRecipient(hex(vector.ikmR));
    expect(Buffer.from(publicKeyBase64, 'base64').toString('hex')).toBe(vector.pkRm);
  });

  it('A.3: both export the published secrets', async () => {
    const made = schedule(1, 16, hex(vector.skRm), hex(vector.enc), hex(vector.pkRm), hex(vector.info));
    expect(made.exporterSecret.toString('hex')).toBe(vector.exporter_secret);
    const suite = new CipherSuite({ kem: new DhkemP256HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes128Gcm() });
    const { privateKey } = await suite.kem.deriveKeyPair(hex(vector.ikmR));
    const context = await suite.createRecipientContext({
      recipientKey: privateKey,
      enc: hex(vector.enc),
      info: hex(vector.info),
    });
    for (const { exporter_context: at, L: length, exported_value: value } of vector.exports) {
      expect(made.exported(hex(at), length).toString('hex')).toBe(value);
      expect(Buffer.from(await context.export(hex(at), length)).toString('hex')).toBe(value);
    }
  });

  const sessionKey = (enc: Buffer) =>
    schedule(2, 32, hex(vector.skRm), enc, hex(vector.pkRm), Buffer.from('holdfast/sealing/session/v1')).exported(
      Buffer.from('holdfast/sealing/aes-256-gcm/v1'),
      32,
    );

  it('what is sealed opens with the second implementation', async () => {
    const plaintext = randomBytes(64);
    const sealed = Buffer.from(await seal(hex(vector.pkRm).toString('base64'), plaintext, 'purpose'), 'base64');
    const cipher = createDecipheriv('aes-256-gcm', sessionKey(sealed.subarray(0, 65)), sealed.subarray(65, 77))
      .setAAD(Buffer.from('purpose'))
      .setAuthTag(sealed.subarray(-16));
    expect(Buffer.concat([cipher.update(sealed.subarray(77, -16)), cipher.final()])).toEqual(plaintext);
  });

  it('what the second implementation seals is opened', async () => {
    const recipient = await deriveRecipient(hex(vector.ikmR));
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', sessionKey(hex(vector.enc)), nonce).setAAD(Buffer.from('purpose'));
    const ct = Buffer.concat([cipher.update('secret'), cipher.final(), cipher.getAuthTag()]);
    const opened = await recipient.open(Buffer.concat([hex(vector.enc), nonce, ct]).toString('base64'), 'purpose');
    expect(opened.toString()).toBe('secret');
  });
});

describe('sealing', () => {
  it('is opened by its recipient and nobody else, whatever the length', async () => {
    const [recipient, other] = [await generateRecipient(), await generateRecipient()];
    const lengths = fc.uint8Array({ minLength: 0, maxLength: 300 });
    await fc.assert(
      fc.asyncProperty(lengths, fc.string(), async (plaintext, info) => {
        const sealed = await seal(recipient.publicKeyBase64, plaintext, info);
        expect(new Uint8Array(await recipient.open(sealed, info))).toEqual(plaintext);
        await expect(other.open(sealed, info)).rejects.toThrow(SealingFailed);
        await expect(recipient.open(sealed, `${info}.`)).rejects.toThrow(SealingFailed);
      }),
      { numRuns: 25 },
    );
  });

  it('leaves the caller its plaintext, and returns a buffer of its own', async () => {
    const recipient = await generateRecipient();
    const plaintext = Buffer.from('0123456789abcdef');
    const opened = await recipient.open(await seal(recipient.publicKeyBase64, plaintext, 'i'), 'i');
    expect(plaintext.toString()).toBe('0123456789abcdef');
    expect(opened.buffer.byteLength).toBe(plaintext.length);
  });

  it('never makes the same message twice', async () => {
    const { publicKeyBase64 } = await generateRecipient();
    expect(await seal(publicKeyBase64, Buffer.from('x'), 'i')).not.toBe(
      await seal(publicKeyBase64, Buffer.from('x'), 'i'),
    );
  });

  it('a sealed message cut at any byte, or with any bit flipped, is refused with the one error', async () => {
    const recipient = await generateRecipient();
    const sealed = Buffer.from(await seal(recipient.publicKeyBase64, Buffer.from('secret'), 'i'), 'base64');
    for (let length = 0; length < sealed.length; length++) {
      await expect(recipient.open(sealed.subarray(0, length).toString('base64'), 'i')).rejects.toThrow(SealingFailed);
    }
    for (let index = 0; index < sealed.length; index++) {
      const flipped = Buffer.from(sealed);
      flipped[index] = flipped[index]! ^ (1 << (index % 8));
      await expect(recipient.open(flipped.toString('base64'), 'i')).rejects.toThrow(SealingFailed);
    }
  });

  it.each(['', '!', 'AAAA', 'x'.repeat(100_000), undefined, null, 7, {}])(
    'refuses %j in place of a message',
    async (odd) => {
      const recipient = await generateRecipient();
      await expect(recipient.open(odd as string, 'i')).rejects.toThrow(SealingFailed);
      await expect(seal(odd as string, Buffer.from('x'), 'i')).rejects.toThrow(SealingFailed);
    },
  );

  it('refuses base64 with anything in it that does not belong', async () => {
    const recipient = await generateRecipient();
    const sealed = await seal(recipient.publicKeyBase64, Buffer.from('secret'), 'i');
    for (const odd of [` ${sealed}`, `${sealed}\n`, sealed.replace(/=+$/, ''), `${sealed}=`]) {
      if (odd !== sealed) await expect(recipient.open(odd, 'i')).rejects.toThrow(SealingFailed);
    }
  });

  it('refuses a public key that is not on the curve', async () => {
    const point = Buffer.concat([Buffer.from([4]), randomBytes(64)]).toString('base64');
    await expect(seal(point, Buffer.from('x'), 'i')).rejects.toThrow(SealingFailed);
    await expect(seal(Buffer.alloc(65).toString('base64'), Buffer.from('x'), 'i')).rejects.toThrow(SealingFailed);
  });

  it('encapsulates once for many messages, and not for another recipient', async () => {
    const [one, other] = [await generateRecipient(), await generateRecipient()];
    const sealed = await Promise.all(
      [one, one, one, other].map(({ publicKeyBase64 }) => seal(publicKeyBase64, Buffer.from('x'), 'i')),
    );
    const encs = sealed.map((text) => Buffer.from(text, 'base64').subarray(0, 65).toString('hex'));
    expect(new Set(encs.slice(0, 3)).size).toBe(1);
    expect(encs[3]).not.toBe(encs[0]);
    const nonces = sealed.map((text) => Buffer.from(text, 'base64').subarray(65, 77).toString('hex'));
    expect(new Set(nonces).size).toBe(4);
  });

  it('takes no message of another session, nor its parts exchanged', async () => {
    const recipient = await generateRecipient();
    const { publicKeyBase64 } = recipient;
    const [a, b] = [await seal(publicKeyBase64, Buffer.from('a'), 'i'), await seal(publicKeyBase64, Buffer.from('b'), 'i')].map((text) => Buffer.from(text, 'base64')); // prettier-ignore
    const mixed = Buffer.concat([a!.subarray(0, 77), b!.subarray(77)]);
    await expect(recipient.open(mixed.toString('base64'), 'i')).rejects.toThrow(SealingFailed);
  });

  it('refuses more plaintext than its limit, and a short seed', async () => {
    const { publicKeyBase64 } = await generateRecipient();
    await expect(seal(publicKeyBase64, Buffer.alloc(MAX_PLAINTEXT_BYTES + 1), 'i')).rejects.toThrow(SealingFailed);
    await expect(deriveRecipient(Buffer.alloc(31))).rejects.toThrow(SealingFailed);
  });

  it('opens nothing after destroy', async () => {
    const recipient = await generateRecipient();
    const sealed = await seal(recipient.publicKeyBase64, Buffer.from('x'), 'i');
    recipient.destroy();
    await expect(recipient.open(sealed, 'i')).rejects.toThrow(SealingFailed);
  });
});
