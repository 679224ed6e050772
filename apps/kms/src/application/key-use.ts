import type { RequestContext } from '@holdfast/contracts';
import { SealingFailed } from '@holdfast/sealing';
import { refuse } from '../domain/errors.ts';
import { requireState } from '../domain/key-state.ts';
import type { CryptographicOperation, KeyUsed } from '../domain/key-use.events.ts';
import { requireAccess } from './access.ts';
import type { Kms, KeyRecord } from './ports.ts';
import { checkBlobLength } from './shapes.ts';

export type Context = Readonly<Record<string, string>>;

/** A permitted use of a key that is about to happen. */
export interface KeyUse {
  readonly key: KeyRecord;
  readonly operation: CryptographicOperation;
  readonly encryptionContext: Context;
  readonly grantId: string | null;
}

/** @throws DomainError AccessDenied | IncompatibleAlgorithm | KeyDisabled | KeyPendingDeletion */
export const permitUse = async (
  kms: Kms,
  key: KeyRecord,
  operation: CryptographicOperation,
  context: RequestContext,
  encryptionContext: Context,
  algorithm: string | undefined,
): Promise<KeyUse> => {
  const grantId = await requireAccess(kms, operation, key, context, { encryptionContext });
  if (algorithm !== undefined && algorithm !== 'SYMMETRIC_DEFAULT') {
    refuse('IncompatibleAlgorithm', { algorithm, keySpec: 'SYMMETRIC_DEFAULT' });
  }
  requireState('cryptographic', key.state, key.arn);
  return { key, operation, encryptionContext, grantId };
};

/** @throws DomainError DryRun when that was asked for: the last check of all. */
export const endDryRun = (dryRun: boolean | undefined): void => {
  if (dryRun === true) refuse('DryRun', {});
};

/** @param materialId of the use, which for old ciphertexts is not the key's current one. */
export const keyUsed = (kms: Kms, use: KeyUse, materialId: string, context: RequestContext): KeyUsed => ({
  type: 'KeyUsed',
  keyId: use.key.keyId,
  keyArn: use.key.arn,
  operation: use.operation,
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
  action: 'Decrypt' | 'GenerateDataKey',
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

/** Plaintext comes in no other form either; the caller zeroes it. @throws DomainError Invalid */
export const openPlaintext = async (kms: Kms, sealed: string, { requestId }: RequestContext): Promise<Buffer> => {
  let plaintext: Buffer;
  try {
    plaintext = await kms.transport.open(sealed, `kms.Encrypt.${requestId}`);
  } catch (error) {
    if (!(error instanceof SealingFailed)) throw error;
    return refuse('Invalid', { message: 'The plaintext is not sealed to this service.' });
  }
  checkBlobLength('Plaintext', plaintext.length, MAX_PLAINTEXT_BYTES);
  return plaintext;
};
