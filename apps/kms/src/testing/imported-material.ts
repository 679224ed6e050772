import {
  constants,
  createCipheriv,
  createPublicKey,
  generateKeyPairSync,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';
import type { Caller } from './caller.ts';

/** AES key wrap with padding (RFC 5649), as an owner of key material does it. */
const wrapWithPadding = (aesKey: Buffer, bytes: Buffer): Buffer => {
  const cipher = createCipheriv('id-aes256-wrap-pad', aesKey, Buffer.from('a65959a6', 'hex'));
  return Buffer.concat([cipher.update(bytes), cipher.final()]);
};

export type Wrapping =
  'RSAES_OAEP_SHA_1' | 'RSAES_OAEP_SHA_256' | 'RSA_AES_KEY_WRAP_SHA_1' | 'RSA_AES_KEY_WRAP_SHA_256';

export const wrap = (wrapping: Wrapping, publicKeyDer: string, bytes: Buffer): string => {
  const key = createPublicKey({ key: Buffer.from(publicKeyDer, 'base64'), format: 'der', type: 'spki' });
  const oaepHash = wrapping.endsWith('_256') ? 'sha256' : 'sha1';
  const oaep = (plaintext: Buffer) =>
    publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash }, plaintext);
  if (wrapping.startsWith('RSAES')) return oaep(bytes).toString('base64');
  const aesKey = randomBytes(32);
  return Buffer.concat([oaep(aesKey), wrapWithPadding(aesKey, bytes)]).toString('base64');
};

const pkcs8 = { publicKeyEncoding: { type: 'spki', format: 'der' }, privateKeyEncoding: { type: 'pkcs8', format: 'der' } } as const; // prettier-ignore

/** Key material that somebody else made, on its way into a key. */
export class ImportedMaterial {
  private parameters: { token: string; wrapped: string } | null = null;

  constructor(readonly bytes: Buffer) {}

  static of(kind: string): ImportedMaterial {
    if (kind === 'signing' || kind === 'agreement') {
      return new ImportedMaterial(
        generateKeyPairSync('ec', { namedCurve: 'prime256v1', ...pkcs8 }).privateKey as unknown as Buffer,
      );
    }
    if (kind === 'rsa')
      return new ImportedMaterial(
        generateKeyPairSync('rsa', { modulusLength: 2048, ...pkcs8 }).privateKey as unknown as Buffer,
      );
    if (kind === 'mlDsa') {
      return new ImportedMaterial(
        Buffer.concat([Buffer.from('3034020100300b060960864801650304031104228020', 'hex'), randomBytes(32)]),
      );
    }
    return new ImportedMaterial(randomBytes(32));
  }

  /** @param again with the token of the first time. */
  async importInto(
    caller: Caller,
    KeyId: string,
    extra: object = {},
    again = false,
    wrapping: Wrapping = 'RSA_AES_KEY_WRAP_SHA_256',
  ) {
    // prettier-ignore
    if (!again || this.parameters === null) {
      const asked = { KeyId, WrappingAlgorithm: wrapping, WrappingKeySpec: 'RSA_2048' };
      const { ImportToken, PublicKey } = await caller.call('GetParametersForImport', asked);
      this.parameters = { token: ImportToken, wrapped: wrap(wrapping, PublicKey, this.bytes) };
    }
    const { token: ImportToken, wrapped: EncryptedKeyMaterial } = this.parameters;
    const forever = { ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' };
    return caller.call('ImportKeyMaterial', { KeyId, ImportToken, EncryptedKeyMaterial, ...forever, ...extra });
  }
}
