import {
  MESSAGE_TYPES,
  messageTypesOf,
  sign as signBytes,
  SIGNING_ALGORITHMS,
  type SigningRequest,
} from '@holdfast/crypto';
import type { KeyPairSpec, SigningAlgorithm } from '@holdfast/crypto';
import type { RequestContext } from '@holdfast/contracts';
import { z } from 'zod';
import { refuse } from '../domain/errors.ts';
import { checkGrantTokens, resolveKey } from './access.ts';
import { action } from './action.ts';
import { currentMaterial, endDryRun, type KeyUse, keyUsed, permitUse } from './key-use.ts';
import type { Kms } from './ports.ts';
import { blobOf, dryRun, grantTokens, keyId, signingAlgorithm } from './shapes.ts';

/** Sign's and Verify's common members. */
export const signingShape = {
  KeyId: keyId,
  Message: z.string(),
  MessageType: z.enum(MESSAGE_TYPES).default('RAW'),
  SigningAlgorithm: signingAlgorithm,
  GrantTokens: grantTokens,
  DryRun: dryRun,
};
type SigningInput = z.output<z.ZodObject<typeof signingShape>>;

/** What the algorithm takes: KMS's rule comes before any use of the key. @throws DomainError Invalid */
const requireFits = ({ algorithm, messageType, message }: SigningRequest): void => {
  if (!messageTypesOf(algorithm).includes(messageType)) {
    refuse('Invalid', { message: `MessageType ${messageType} is not supported for algorithm ${algorithm}.` });
  }
  if (messageType !== 'RAW' && message.length !== SIGNING_ALGORITHMS[algorithm].digestBytes) {
    refuse('Invalid', { message: `Digest is invalid length for algorithm ${algorithm}.` });
  }
};

/** Everything up to the signature itself. */
export const permitSigning = async (
  kms: Kms,
  operation: 'Sign' | 'Verify',
  input: SigningInput,
  context: RequestContext,
): Promise<{ use: KeyUse; request: SigningRequest }> => {
  const { SigningAlgorithm: algorithm, MessageType: messageType } = input;
  const message = blobOf('Message', input.Message, 4096);
  checkGrantTokens(kms, input.GrantTokens);
  const key = await resolveKey(kms, input.KeyId, context, { action: operation, aliases: true });
  const conditions = { 'kms:MessageType': messageType };
  const use = await permitUse(kms, key, { operation, algorithm, conditions }, context);
  const request = { algorithm: algorithm as SigningAlgorithm, messageType, message };
  requireFits(request);
  return { use, request };
};

export const sign = action(z.strictObject(signingShape), async (kms, input, context) => {
  const { use, request } = await permitSigning(kms, 'Sign', input, context);
  endDryRun(input.DryRun);
  const { key, algorithm } = use;
  const signature = await kms.materials.usePrivateKey(currentMaterial(key), key.keySpec as KeyPairSpec, (privateKey) =>
    signBytes(request, privateKey),
  );
  await kms.uses.record([keyUsed(kms, use, context)], context);
  return { KeyId: key.arn, Signature: signature.toString('base64'), SigningAlgorithm: algorithm };
});
