import { deriveSharedSecret as agree, type KeyPairSpec, publicKeyOf, UnfitKey } from '@holdfast/crypto';
import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { refuse } from '../domain/errors.ts';
import { checkGrantTokens, resolveKey } from './access.ts';
import { action } from './action.ts';
import { currentMaterial, endDryRun, keyUsed, permitUse, requireRecipient, sealAnswer } from './key-use.ts';
import type { KeyRecord } from './ports.ts';
import { blobOf, dryRun, grantTokens, keyId } from './shapes.ts';

const shape = z.strictObject({
  KeyId: keyId,
  KeyAgreementAlgorithm: z.enum(['ECDH']),
  PublicKey: z.string(),
  GrantTokens: grantTokens,
  DryRun: dryRun,
});

/** A point of the key's own curve, by its name, and nothing after it. @throws DomainError Invalid */
const peerOf = ({ keySpec }: KeyRecord, spki: Buffer): KeyObject => {
  try {
    return publicKeyOf(keySpec as KeyPairSpec, spki);
  } catch (error) {
    if (!(error instanceof UnfitKey)) throw error;
    return refuse('Invalid', { message: `The public key is not a valid DER-encoded ${keySpec} public key.` });
  }
};

export const deriveSharedSecret = action(shape, async (kms, input, context) => {
  const { KeyAgreementAlgorithm } = input;
  const spki = blobOf('PublicKey', input.PublicKey, 8192);
  checkGrantTokens(kms, input.GrantTokens);
  const key = await resolveKey(kms, input.KeyId, context, { action: 'DeriveSharedSecret', aliases: true });
  const request = { operation: 'DeriveSharedSecret', algorithm: KeyAgreementAlgorithm } as const;
  const use = await permitUse(kms, key, request, context);
  const peer = peerOf(key, spki);
  endDryRun(input.DryRun);
  requireRecipient(context);
  const secret = await kms.materials.usePrivateKey(currentMaterial(key), key.keySpec as KeyPairSpec, (privateKey) =>
    agree(privateKey, peer),
  );
  try {
    const [SharedSecret] = await Promise.all([
      sealAnswer(kms, 'DeriveSharedSecret', secret, context),
      kms.uses.record([keyUsed(kms, use, context)], context),
    ]);
    return { KeyId: key.arn, SharedSecret, KeyAgreementAlgorithm, KeyOrigin: key.origin };
  } finally {
    secret.fill(0);
  }
});
