import { z } from 'zod';
import { checkGrantTokens, resolveKey } from './access.ts';
import { action } from './action.ts';
import { decryptPermitted, encryptUnder, permitCiphertext } from './ciphertext.ts';
import { endDryRun, keyUsed, permitUse } from './key-use.ts';
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

/** The plaintext never leaves this function, so no key to seal it to is needed. */
export const reEncrypt = action(shape, async (kms, input, context) => {
  const blob = ciphertextBlob(input.CiphertextBlob);
  checkGrantTokens(kms, input.GrantTokens);
  const source = {
    blob,
    keyId: input.SourceKeyId,
    operation: 'ReEncryptFrom',
    encryptionContext: input.SourceEncryptionContext ?? {},
    algorithm: input.SourceEncryptionAlgorithm,
  } as const;
  const permitted = await permitCiphertext(kms, source, context);
  const key = await resolveKey(kms, input.DestinationKeyId, context, { action: 'ReEncryptTo', aliases: true });
  const pairs = input.DestinationEncryptionContext ?? {};
  const to = await permitUse(kms, key, 'ReEncryptTo', context, pairs, input.DestinationEncryptionAlgorithm);
  endDryRun(input.DryRun);
  const { use: from, name } = permitted;
  const plaintext = await decryptPermitted(kms, permitted);
  try {
    const CiphertextBlob = await encryptUnder(kms, to, plaintext);
    const used = [keyUsed(kms, from, name.materialId, context), keyUsed(kms, to, key.materialId, context)];
    await kms.uses.record(used, context);
    return {
      CiphertextBlob,
      SourceKeyId: from.key.arn,
      KeyId: key.arn,
      SourceEncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
      DestinationEncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
      SourceKeyMaterialId: name.materialId,
      DestinationKeyMaterialId: key.materialId,
    };
  } finally {
    plaintext.fill(0);
  }
});
