import { createSecretKey } from 'node:crypto';
import {
  decryptEnvelope,
  encryptEnvelope,
  envelopeKeyName,
  type EnvelopeKey,
  InvalidCiphertext,
} from '@holdfast/crypto';
import { instant } from '@holdfast/contracts';
import type { ServiceSecrets } from '@holdfast/root-keys';
import type { ImportParameters, ImportTokens } from '../../application/ports.ts';
import { refuse } from '../../domain/errors.ts';

const KEY_ID = 'import-tokens';
/** Bound to the purpose: no other ciphertext under the derived key reads as a token. */
const CONTEXT = { purpose: 'holdfast/kms/import-token/v1' };

const field = (text: string): Buffer => {
  const bytes = Buffer.from(text, 'utf8');
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
};

/**
 * Nothing is stored for an import: the token itself carries the wrapping key, encrypted under a secret that all
 * replicas have. It is good until its time ends, as often as its owner likes, as on AWS.
 */
export class SealedImportTokens implements ImportTokens {
  constructor(private readonly secrets: Pick<ServiceSecrets, 'deriveAll'>) {}

  issue({ keyArn, wrappingAlgorithm, validTo, privateKey }: ImportParameters): Buffer {
    const plaintext = Buffer.concat([field(keyArn), field(wrappingAlgorithm), field(validTo), privateKey]);
    const key = this.keys()[0];
    if (key === undefined) throw new RangeError('no secret');
    try {
      return encryptEnvelope(key, plaintext, CONTEXT);
    } finally {
      plaintext.fill(0);
    }
  }

  read(token: Buffer): ImportParameters {
    const name = envelopeKeyName(token);
    const key = this.keys().find(({ materialId }) => materialId === name?.materialId);
    if (key === undefined) return refuse('InvalidImportToken', {});
    try {
      return parse(decryptEnvelope(key, token, CONTEXT));
    } catch (error) {
      if (error instanceof InvalidCiphertext) return refuse('InvalidImportToken', {});
      throw error;
    }
  }

  /** With the secrets that name them, the newest first. */
  private keys(): EnvelopeKey[] {
    const ids = this.secrets.deriveAll('import-token-id').map((bytes) => bytes.toString('hex'));
    return this.secrets.deriveAll('import-tokens').map((material, index) => ({
      keyId: KEY_ID,
      materialId: ids[index] ?? '',
      material: createSecretKey(material),
    }));
  }
}

/** Authenticated already, so what does not parse is a bug. */
const parse = (plaintext: Buffer): ImportParameters => {
  let at = 0;
  const next = (): string => {
    const end = at + 2 + plaintext.readUInt16BE(at);
    const text = plaintext.toString('utf8', at + 2, end);
    at = end;
    return text;
  };
  const [keyArn, wrappingAlgorithm, validTo] = [next(), next(), next()];
  return { keyArn, wrappingAlgorithm, validTo: instant(new Date(validTo)), privateKey: plaintext.subarray(at) };
};
