import { envelopeKeyName } from '@holdfast/crypto';
import type { RequestContext } from '@holdfast/contracts';
import { z } from 'zod';
import { checkGrantTokens, type ResolvedKey, resolveKey } from './access.ts';
import { action } from './action.ts';
import { decryptPermitted, encryptUnder, permitCiphertext } from './ciphertext.ts';
import { endDryRun, keyUsed, permitUse } from './key-use.ts';
import type { Kms } from './ports.ts';
import { ciphertextBlob, dryRun, encryptionAlgorithm, encryptionContext, grantTokens, keyId } from './shapes.ts';

const shape = z.strictObject({
  CiphertextBlob: z.string(),
  SourceKeyId: keyId.optional(),
  SourceEncryptionContext: encryptionContext,
  SourceEncryptionAlgorithm: encryptionAlgorithm,
  DestinationKeyId: keyId,
  DestinationEncryptionContext: encryptionContext,
  DestinationEncryptionAlgorithm: encryptionAlgorithm,
  GrantTokens: grantTokens,
  DryRun: dryRun,
});

/** kms:ReEncryptOnSameKey, as far as the request says: the key that it names, or that the blob does. */
const isSameKey = async (
  kms: Kms,
  { SourceKeyId }: z.output<typeof shape>,
  blob: Buffer,
  destination: ResolvedKey,
  context: RequestContext,
): Promise<boolean> => {
  if (SourceKeyId === undefined) return envelopeKeyName(blob)?.keyId === destination.keyId;
  const source = await resolveKey(kms, SourceKeyId, context, { action: 'ReEncryptFrom', aliases: true });
  return source.arn === destination.arn;
};

/** The plaintext never leaves this function, so no key to seal it to is needed. */
export const reEncrypt = action(shape, async (kms, input, context) => {
  const blob = ciphertextBlob(input.CiphertextBlob);
  checkGrantTokens(kms, input.GrantTokens);
  const destination = await resolveKey(kms, input.DestinationKeyId, context, { action: 'ReEncryptTo', aliases: true });
  const sameKey = { 'kms:ReEncryptOnSameKey': await isSameKey(kms, input, blob, destination, context) };
  const source = {
    blob,
    keyId: input.SourceKeyId,
    operation: 'ReEncryptFrom',
    encryptionContext: input.SourceEncryptionContext ?? {},
    algorithm: input.SourceEncryptionAlgorithm,
    conditions: sameKey,
  } as const;
  const permitted = await permitCiphertext(kms, source, context);
  const request = {
    operation: 'ReEncryptTo',
    encryptionContext: input.DestinationEncryptionContext ?? {},
    algorithm: input.DestinationEncryptionAlgorithm,
    conditions: sameKey,
  } as const;
  const to = await permitUse(kms, destination, request, context);
  const { use: from, name } = permitted;
  const plaintext = await decryptPermitted(kms, permitted);
  try {
    const CiphertextBlob = await encryptUnder(kms, to, plaintext);
    endDryRun(input.DryRun);
    const used = [keyUsed(kms, from, context, name.materialId), keyUsed(kms, to, context)];
    await kms.uses.record(used, context);
    return {
      CiphertextBlob,
      SourceKeyId: from.key.arn,
      KeyId: destination.arn,
      SourceEncryptionAlgorithm: from.algorithm,
      DestinationEncryptionAlgorithm: to.algorithm,
      ...(from.algorithm === 'SYMMETRIC_DEFAULT' ? { SourceKeyMaterialId: name.materialId } : {}),
      ...(to.algorithm === 'SYMMETRIC_DEFAULT' ? { DestinationKeyMaterialId: destination.materialId } : {}),
    };
  } finally {
    plaintext.fill(0);
  }
});
