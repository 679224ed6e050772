import {
  decryptEnvelope,
  decryptOaep,
  encryptEnvelope,
  encryptOaep,
  envelopeKeyName,
  type EnvelopeKeyName,
  InvalidCiphertext,
  type KeyPairSpec,
  oaepCapacityBytes,
  type OaepAlgorithm,
  publicKeyOf,
} from '@holdfast/crypto';
import type { RequestContext } from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';
import type { ConditionContext } from '@holdfast/iam';
import { refuse } from '../domain/errors.ts';
import type { CryptographicOperation } from '../domain/key-specs.ts';
import { resolveKey } from './access.ts';
import { type Context, currentMaterial, type KeyUse, permitUse } from './key-use.ts';
import { type KeyRecord, type Kms, NoSuchMaterial } from './ports.ts';

const modulusBits = ({ keySpec }: KeyRecord): number => Number(keySpec.replace('RSA_', ''));

/** SubjectPublicKeyInfo of a pair whose state lets it be used. */
export const publicKeyBytesOf = ({ keyId, publicKey }: KeyRecord): Buffer => {
  if (publicKey === null) throw new Error(`key ${keyId} is in use and has no public key`);
  return publicKey;
};

const encryptUnderPair = ({ key, algorithm }: KeyUse, plaintext: Uint8Array): Buffer => {
  const oaep = algorithm as OaepAlgorithm; // As requireUsage has checked.
  const capacityBytes = oaepCapacityBytes(oaep, modulusBits(key));
  if (plaintext.length > capacityBytes) {
    const limit = `cannot encrypt data larger than ${String(capacityBytes)} bytes.`;
    return refuse('Invalid', { message: `Algorithm ${algorithm} and key spec ${key.keySpec} ${limit}` });
  }
  return encryptOaep(oaep, plaintext, publicKeyOf(key.keySpec as KeyPairSpec, publicKeyBytesOf(key)));
};

/** @returns base64 of the blob. @throws DomainError Invalid for more plaintext than an RSA key takes */
export const encryptUnder = async (kms: Kms, use: KeyUse, plaintext: Uint8Array): Promise<string> => {
  if (use.algorithm !== 'SYMMETRIC_DEFAULT') return encryptUnderPair(use, plaintext).toString('base64');
  return kms.materials.use(currentMaterial(use.key), (material) =>
    encryptEnvelope(material, plaintext, use.encryptionContext).toString('base64'),
  );
};

interface Source {
  readonly blob: Buffer;
  readonly keyId: string | undefined;
  readonly operation: Extract<CryptographicOperation, 'Decrypt' | 'ReEncryptFrom'>;
  readonly encryptionContext: Context;
  readonly algorithm: string | undefined;
  readonly conditions?: ConditionContext;
}

/** A ciphertext whose key the caller may use to open it. */
export interface PermittedCiphertext {
  readonly use: KeyUse;
  readonly name: EnvelopeKeyName;
  readonly blob: Buffer;
}

/** Without a KeyId the blob says which key, and whoever may not use that key learns nothing about it. */
const permitNamed = async (
  kms: Kms,
  name: EnvelopeKeyName,
  source: Source,
  context: RequestContext,
): Promise<KeyUse> => {
  const key = await kms.keys.find(name.keyId, context.region);
  if (key === null) return refuse('CiphertextKeyInaccessible', {});
  try {
    return await permitUse(kms, key, source, context);
  } catch (error) {
    if (error instanceof DomainError && error.code === 'AccessDenied') return refuse('CiphertextKeyInaccessible', {});
    throw error;
  }
};

/** @throws DomainError InvalidCiphertext | IncorrectKey | CiphertextKeyInaccessible, and as permitUse does */
export const permitCiphertext = async (
  kms: Kms,
  source: Source,
  context: RequestContext,
): Promise<PermittedCiphertext> => {
  const { blob, operation } = source;
  const name = envelopeKeyName(blob);
  if (source.keyId === undefined) {
    if (name === null) return refuse('InvalidCiphertext', {});
    return { use: await permitNamed(kms, name, source, context), name, blob };
  }
  const key = await resolveKey(kms, source.keyId, context, { action: operation, aliases: true });
  const use = await permitUse(kms, key, source, context);
  // RSA's ciphertext names no key: it is under the one that the caller names, or under none.
  if (use.algorithm !== 'SYMMETRIC_DEFAULT') return { use, name: currentMaterial(key), blob };
  if (name === null) return refuse('InvalidCiphertext', {});
  if (name.keyId !== key.keyId) return refuse('IncorrectKey', {});
  return { use, name, blob };
};

const open = ({ use, name, blob }: PermittedCiphertext, kms: Kms): Promise<Buffer> => {
  const { algorithm, encryptionContext, key } = use;
  if (algorithm === 'SYMMETRIC_DEFAULT') {
    return kms.materials.use(name, (material) => decryptEnvelope(material, blob, encryptionContext));
  }
  return kms.materials.usePrivateKey(name, key.keySpec as KeyPairSpec, (privateKey) =>
    decryptOaep(algorithm as OaepAlgorithm, blob, privateKey),
  );
};

/** @returns plaintext, the caller's to zero. @throws DomainError InvalidCiphertext */
export const decryptPermitted = async (kms: Kms, permitted: PermittedCiphertext): Promise<Buffer> => {
  try {
    return await open(permitted, kms);
  } catch (error) {
    // A material that the key never had can only be a forgery's, which gets the error that every forgery gets.
    const forged = error instanceof NoSuchMaterial && permitted.name.materialId !== permitted.use.key.materialId;
    if (forged || error instanceof InvalidCiphertext) return refuse('InvalidCiphertext', {});
    throw error;
  }
};
