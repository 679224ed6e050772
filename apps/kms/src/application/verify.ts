import { type KeyPairSpec, publicKeyOf, verify as verifyBytes } from '@holdfast/crypto';
import { z } from 'zod';
import { refuse } from '../domain/errors.ts';
import { action } from './action.ts';
import { publicKeyBytesOf } from './ciphertext.ts';
import { endDryRun, keyUsed } from './key-use.ts';
import { blobOf } from './shapes.ts';
import { permitSigning, signingShape } from './sign.ts';

export const verify = action(
  z.strictObject({ ...signingShape, Signature: z.string() }),
  async (kms, input, context) => {
    const signature = blobOf('Signature', input.Signature, 6144);
    const { use, request } = await permitSigning(kms, 'Verify', input, context);
    endDryRun(input.DryRun);
    const { key, algorithm } = use;
    const publicKey = publicKeyOf(key.keySpec as KeyPairSpec, publicKeyBytesOf(key));
    if (!verifyBytes(request, signature, publicKey)) refuse('InvalidSignature', {});
    await kms.uses.record([keyUsed(kms, use, context)], context);
    return { KeyId: key.arn, SignatureValid: true, SigningAlgorithm: algorithm };
  },
);
