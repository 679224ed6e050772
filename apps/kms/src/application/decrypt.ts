import { z } from 'zod';
import { checkGrantTokens } from './access.ts';
import { action } from './action.ts';
import { decryptPermitted, permitCiphertext } from './ciphertext.ts';
import { endDryRun, keyUsed, requireRecipient, sealAnswer } from './key-use.ts';
import { ciphertextBlob, dryRun, encryptionAlgorithm, encryptionContext, grantTokens, keyId } from './shapes.ts';

const shape = z.strictObject({
  CiphertextBlob: z.string(),
  KeyId: keyId.optional(),
  EncryptionContext: encryptionContext,
  GrantTokens: grantTokens,
  EncryptionAlgorithm: encryptionAlgorithm,
  DryRun: dryRun,
});

export const decrypt = action(shape, async (kms, input, context) => {
  const { EncryptionContext: pairs = {}, EncryptionAlgorithm: algorithm, KeyId } = input;
  const blob = ciphertextBlob(input.CiphertextBlob);
  checkGrantTokens(kms, input.GrantTokens);
  const source = { blob, keyId: KeyId, operation: 'Decrypt', encryptionContext: pairs, algorithm } as const;
  const permitted = await permitCiphertext(kms, source, context);
  if (input.DryRun !== true) requireRecipient(context);
  const plaintext = await decryptPermitted(kms, permitted);
  try {
    endDryRun(input.DryRun); // What does not open would not have succeeded.
    const { use, name } = permitted;
    const [Plaintext] = await Promise.all([
      sealAnswer(kms, 'Decrypt', plaintext, context),
      kms.uses.record([keyUsed(kms, use, context, name.materialId)], context),
    ]);
    const { algorithm: EncryptionAlgorithm } = use;
    const material = EncryptionAlgorithm === 'SYMMETRIC_DEFAULT' ? { KeyMaterialId: name.materialId } : {};
    return { KeyId: use.key.arn, Plaintext, EncryptionAlgorithm, ...material };
  } finally {
    plaintext.fill(0);
  }
});
