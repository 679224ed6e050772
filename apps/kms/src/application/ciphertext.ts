import {
  decryptEnvelope,
  encryptEnvelope,
  envelopeKeyName,
  type EnvelopeKeyName,
  InvalidCiphertext,
} from '@holdfast/crypto';
import type { RequestContext } from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';
import type { CryptographicOperation } from '../domain/key-use.events.ts';
import { refuse } from '../domain/errors.ts';
import { resolveKey } from './access.ts';
import { type Context, type KeyUse, permitUse } from './key-use.ts';
import type { Kms } from './ports.ts';

/** @returns base64 of the blob. */
export const encryptUnder = async (
  kms: Kms,
  { key, encryptionContext }: KeyUse,
  plaintext: Uint8Array,
): Promise<string> =>
  kms.materials.use(key, (material) => encryptEnvelope(material, plaintext, encryptionContext).toString('base64'));

interface Source {
  readonly blob: Buffer;
  readonly keyId: string | undefined;
  readonly operation: Extract<CryptographicOperation, 'Decrypt' | 'ReEncryptFrom'>;
  readonly encryptionContext: Context;
  readonly algorithm: string | undefined;
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
  const key = await kms.keys.find(name.keyId);
  if (key === null || key.region !== context.region) return refuse('CiphertextKeyInaccessible', {});
  const { operation, encryptionContext, algorithm } = source;
  try {
    return await permitUse(kms, key, operation, context, encryptionContext, algorithm);
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
  const { blob, operation, encryptionContext, algorithm } = source;
  const name = envelopeKeyName(blob);
  if (source.keyId === undefined) {
    if (name === null) return refuse('InvalidCiphertext', {});
    return { use: await permitNamed(kms, name, source, context), name, blob };
  }
  const key = await resolveKey(kms, source.keyId, context, { action: operation, aliases: true });
  const use = await permitUse(kms, key, operation, context, encryptionContext, algorithm);
  if (name === null) return refuse('InvalidCiphertext', {});
  if (name.keyId !== key.keyId) return refuse('IncorrectKey', {});
  return { use, name, blob };
};

/** @returns plaintext, the caller's to zero. @throws DomainError InvalidCiphertext */
export const decryptPermitted = async (kms: Kms, { use, name, blob }: PermittedCiphertext): Promise<Buffer> => {
  // One material for now: another id can only be a forgery, which gets the error that every other forgery gets.
  if (name.materialId !== use.key.materialId) return refuse('InvalidCiphertext', {});
  try {
    return await kms.materials.use(name, (material) => decryptEnvelope(material, blob, use.encryptionContext));
  } catch (error) {
    if (error instanceof InvalidCiphertext) return refuse('InvalidCiphertext', {});
    throw error;
  }
};
