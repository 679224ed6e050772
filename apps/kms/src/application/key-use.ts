import type { RequestContext } from '@holdfast/contracts';
import type { ConditionContext } from '@holdfast/iam';
import { SealingFailed } from '@holdfast/sealing';
import { refuse } from '../domain/errors.ts';
import { type CryptographicOperation, KEY_SPECS, OPERATION_USAGE, requireUsage } from '../domain/key-specs.ts';
import { requireState } from '../domain/key-state.ts';
import type { KeyUsed } from '../domain/key-use.events.ts';
import { requireAccess, type ResolvedKey } from './access.ts';
import type { KeyRecord, Kms } from './ports.ts';
import { checkBlobLength } from './shapes.ts';

export type Context = Readonly<Record<string, string>>;

/** A permitted use of a key that is about to happen. */
export interface KeyUse {
  readonly key: KeyRecord;
  readonly operation: CryptographicOperation;
  /** Of encryption, signing, MACs, agreement. */
  readonly algorithm: string;
  readonly encryptionContext: Context;
  readonly grantId: string | null;
}

export interface UseRequest {
  readonly operation: CryptographicOperation;
  /** Absent: the only one that such a key has. */
  readonly algorithm?: string | undefined;
  readonly encryptionContext?: Context | undefined;
  readonly conditions?: ConditionContext;
}

const ALGORITHM_CONDITIONS = {
  ENCRYPT_DECRYPT: 'kms:EncryptionAlgorithm',
  SIGN_VERIFY: 'kms:SigningAlgorithm',
  GENERATE_VERIFY_MAC: 'kms:MacAlgorithm',
  KEY_AGREEMENT: 'kms:KeyAgreementAlgorithm',
} as const;

/** Only symmetric encryption binds a context. @throws DomainError Invalid */
const requireContextFits = (key: KeyRecord, encryptionContext: Context): void => {
  if (Object.keys(encryptionContext).length === 0 || KEY_SPECS[key.keySpec].kind === 'symmetric') return;
  refuse('Invalid', { message: 'EncryptionContext is not supported for asymmetric KMS keys.' });
};

/** @throws DomainError AccessDenied | InvalidKeyUsage | IncompatibleAlgorithm | Invalid, and as the key's state refuses */
export const permitUse = async (
  kms: Kms,
  key: ResolvedKey,
  request: UseRequest,
  context: RequestContext,
): Promise<KeyUse> => {
  const { operation, algorithm = 'SYMMETRIC_DEFAULT', encryptionContext = {} } = request;
  const conditions = { [ALGORITHM_CONDITIONS[OPERATION_USAGE[operation]]]: algorithm, ...request.conditions };
  const grantId = await requireAccess(kms, operation, key, context, { encryptionContext, conditions });
  requireUsage(operation, key, algorithm);
  requireContextFits(key, encryptionContext);
  requireState(operation, key.state, key.arn);
  return { key, operation, algorithm, encryptionContext, grantId };
};

/** Of a key whose state lets it be used. */
export const currentMaterial = ({ keyId, materialId }: KeyRecord): { keyId: string; materialId: string } => {
  if (materialId === null) throw new Error(`key ${keyId} is in use and has no material`);
  return { keyId, materialId };
};

/** @throws DomainError DryRun when that was asked for: the last check of all. */
export const endDryRun = (dryRun: boolean | undefined): void => {
  if (dryRun === true) refuse('DryRun', {});
};

/** @param materialId of the use, which for old ciphertexts is not the key's current one. */
export const keyUsed = (
  kms: Kms,
  use: KeyUse,
  context: RequestContext,
  materialId: string = currentMaterial(use.key).materialId,
): KeyUsed => ({
  type: 'KeyUsed',
  keyId: use.key.keyId,
  keyArn: use.key.arn,
  operation: use.operation,
  algorithm: use.algorithm,
  materialId,
  encryptionContext: use.encryptionContext,
  principalArn: context.principal.arn,
  grantId: use.grantId,
  viaService: context.viaService ?? null,
  requestId: context.requestId,
  at: kms.clock.instant(),
});

/** The key to which the answer's plaintext is sealed. @throws DomainError Invalid: nobody could read it. */
export const requireRecipient = ({ recipientPublicKey }: RequestContext): string =>
  recipientPublicKey ?? refuse('Invalid', { message: 'The request names no recipient of its plaintext.' });

/** Plaintext leaves this service in no other form. @throws DomainError Invalid for a key that is none. */
export const sealAnswer = async (
  kms: Kms,
  action: 'Decrypt' | 'GenerateDataKey' | 'GenerateDataKeyPair' | 'GenerateRandom' | 'DeriveSharedSecret',
  plaintext: Uint8Array,
  context: RequestContext,
): Promise<string> => {
  try {
    return await kms.transport.seal(requireRecipient(context), plaintext, `kms.${action}.${context.requestId}`);
  } catch (error) {
    if (!(error instanceof SealingFailed)) throw error;
    return refuse('Invalid', { message: "The recipient's public key is not valid." });
  }
};

/** KMS's limit for symmetric keys, in bytes. */
const MAX_PLAINTEXT_BYTES = 4096;

/**
 * Plaintext comes in no other form either; the caller zeroes it. What Decrypt has sealed to this service itself, for the same
 * request, is taken as well: so can EBS wrap a data key anew without its passing through anybody's memory.
 * @throws DomainError Invalid
 */
export const openPlaintext = async (kms: Kms, sealed: string, { requestId }: RequestContext): Promise<Buffer> => {
  let plaintext: Buffer;
  try {
    plaintext = await kms.transport
      .open(sealed, `kms.Encrypt.${requestId}`)
      .catch(() => kms.transport.open(sealed, `kms.Decrypt.${requestId}`));
  } catch (error) {
    if (!(error instanceof SealingFailed)) throw error;
    return refuse('Invalid', { message: 'The plaintext is not sealed to this service.' });
  }
  checkBlobLength('Plaintext', plaintext.length, MAX_PLAINTEXT_BYTES);
  return plaintext;
};
