import { randomFillSync } from 'node:crypto';
import type { RequestContext } from '@holdfast/contracts';
import { z } from 'zod';
import { refuse } from '../domain/errors.ts';
import { checkGrantTokens, resolveKey } from './access.ts';
import { action } from './action.ts';
import { encryptUnder } from './ciphertext.ts';
import { currentMaterial, endDryRun, keyUsed, permitUse, requireRecipient, sealAnswer } from './key-use.ts';
import type { Kms } from './ports.ts';
import { dryRun, encryptionContext, grantTokens, keyId } from './shapes.ts';

export const dataKeyShape = z.strictObject({
  KeyId: keyId,
  KeySpec: z.enum(['AES_256', 'AES_128']).optional(),
  NumberOfBytes: z.number().int().min(1).max(1024).optional(),
  EncryptionContext: encryptionContext,
  GrantTokens: grantTokens,
  DryRun: dryRun,
});
type DataKeyRequest = z.output<typeof dataKeyShape>;

/** @throws DomainError Invalid unless exactly one of the two says so. */
const dataKeyBytes = ({ KeySpec, NumberOfBytes }: DataKeyRequest): number => {
  if ((KeySpec === undefined) === (NumberOfBytes === undefined)) {
    return refuse('Invalid', { message: 'Please specify either number of bytes or key spec.' });
  }
  return NumberOfBytes ?? (KeySpec === 'AES_128' ? 16 : 32);
};

/** Both operations; `deliver` gets the plaintext, which is zeroed when it has resolved. */
export const makeDataKey = async (
  kms: Kms,
  operation: 'GenerateDataKey' | 'GenerateDataKeyWithoutPlaintext',
  input: DataKeyRequest,
  context: RequestContext,
  deliver: (plaintext: Buffer) => Promise<Record<string, string>>,
): Promise<Record<string, string>> => {
  const sizeBytes = dataKeyBytes(input);
  checkGrantTokens(kms, input.GrantTokens);
  const key = await resolveKey(kms, input.KeyId, context, { action: operation, aliases: true });
  const use = await permitUse(kms, key, { operation, encryptionContext: input.EncryptionContext ?? {} }, context);
  endDryRun(input.DryRun);
  // Of its own, and not of Node's shared pool, so that zeroing it is all there is to zero.
  const plaintext = randomFillSync(Buffer.alloc(sizeBytes));
  try {
    const CiphertextBlob = await encryptUnder(kms, use, plaintext);
    const [delivered] = await Promise.all([deliver(plaintext), kms.uses.record([keyUsed(kms, use, context)], context)]);
    return { CiphertextBlob, ...delivered, KeyId: key.arn, KeyMaterialId: currentMaterial(key).materialId };
  } finally {
    plaintext.fill(0);
  }
};

export const generateDataKey = action(dataKeyShape, async (kms, input, context) => {
  if (input.DryRun !== true) requireRecipient(context);
  return makeDataKey(kms, 'GenerateDataKey', input, context, async (plaintext) => ({
    Plaintext: await sealAnswer(kms, 'GenerateDataKey', plaintext, context),
  }));
});
