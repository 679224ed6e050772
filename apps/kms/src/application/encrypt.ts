import { z } from 'zod';
import { checkGrantTokens, resolveKey } from './access.ts';
import { action } from './action.ts';
import { encryptUnder } from './ciphertext.ts';
import { endDryRun, keyUsed, openPlaintext, permitUse } from './key-use.ts';
import { dryRun, encryptionAlgorithm, encryptionContext, grantTokens, keyId } from './shapes.ts';

const shape = z.strictObject({
  KeyId: keyId,
  /** Sealed to this service's transport key. */
  Plaintext: z.string(),
  EncryptionContext: encryptionContext,
  GrantTokens: grantTokens,
  EncryptionAlgorithm: encryptionAlgorithm,
  DryRun: dryRun,
});

export const encrypt = action(shape, async (kms, input, context) => {
  const { EncryptionContext: pairs = {}, EncryptionAlgorithm: algorithm } = input;
  checkGrantTokens(kms, input.GrantTokens);
  const plaintext = await openPlaintext(kms, input.Plaintext, context);
  try {
    const key = await resolveKey(kms, input.KeyId, context, { action: 'Encrypt', aliases: true });
    const request = { operation: 'Encrypt', algorithm, encryptionContext: pairs } as const;
    const use = await permitUse(kms, key, request, context);
    const CiphertextBlob = await encryptUnder(kms, use, plaintext);
    endDryRun(input.DryRun); // After the check of the size, which only encryption makes.
    await kms.uses.record([keyUsed(kms, use, context)], context);
    return { CiphertextBlob, KeyId: key.arn, EncryptionAlgorithm: use.algorithm };
  } finally {
    plaintext.fill(0);
  }
});
