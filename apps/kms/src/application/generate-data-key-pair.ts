import { generateKeyPair, KEY_PAIR_SPECS, type KeyPairSpec } from '@holdfast/crypto';
import type { RequestContext } from '@holdfast/contracts';
import { z } from 'zod';
import { refuse } from '../domain/errors.ts';
import { FOREIGN_KEY_SPECS, isDataPairSpec } from '../domain/key-specs.ts';
import { checkGrantTokens, resolveKey } from './access.ts';
import { action } from './action.ts';
import { encryptUnder } from './ciphertext.ts';
import { currentMaterial, endDryRun, keyUsed, permitUse, requireRecipient, sealAnswer } from './key-use.ts';
import type { Kms } from './ports.ts';
import { dryRun, encryptionContext, grantTokens, keyId } from './shapes.ts';

const FOREIGN: ReadonlySet<string> = new Set(FOREIGN_KEY_SPECS);
const isForeign = (spec: string): spec is (typeof FOREIGN_KEY_SPECS)[number] => FOREIGN.has(spec);
const PAIR_SPECS = [...(Object.keys(KEY_PAIR_SPECS) as KeyPairSpec[]).filter(isDataPairSpec), ...FOREIGN_KEY_SPECS];

export const dataKeyPairShape = z.strictObject({
  KeyId: keyId,
  KeyPairSpec: z.enum(PAIR_SPECS),
  EncryptionContext: encryptionContext,
  GrantTokens: grantTokens,
  DryRun: dryRun,
});

/** Both operations; `deliver` gets the private key (PKCS #8, DER), which is zeroed when it has resolved. */
export const makeDataKeyPair = async (
  kms: Kms,
  operation: 'GenerateDataKeyPair' | 'GenerateDataKeyPairWithoutPlaintext',
  input: z.output<typeof dataKeyPairShape>,
  context: RequestContext,
  deliver: (privateKey: Buffer) => Promise<Record<string, string>>,
): Promise<Record<string, string>> => {
  const { KeyPairSpec: spec } = input;
  if (isForeign(spec)) return refuse('NotSupported', { message: `KeyPairSpec ${spec} is not supported.` });
  checkGrantTokens(kms, input.GrantTokens);
  const key = await resolveKey(kms, input.KeyId, context, { action: operation, aliases: true });
  const conditions = { 'kms:DataKeyPairSpec': spec };
  const request = { operation, encryptionContext: input.EncryptionContext ?? {}, conditions };
  const use = await permitUse(kms, key, request, context);
  endDryRun(input.DryRun);
  const pair = await generateKeyPair(spec);
  try {
    const PrivateKeyCiphertextBlob = await encryptUnder(kms, use, pair.privateKey);
    const [delivered] = await Promise.all([
      deliver(pair.privateKey),
      kms.uses.record([keyUsed(kms, use, context)], context),
    ]);
    return {
      PrivateKeyCiphertextBlob,
      ...delivered,
      PublicKey: pair.publicKey.toString('base64'),
      KeyId: key.arn,
      KeyPairSpec: spec,
      KeyMaterialId: currentMaterial(key).materialId,
    };
  } finally {
    pair.privateKey.fill(0);
  }
};

export const generateDataKeyPair = action(dataKeyPairShape, async (kms, input, context) => {
  if (input.DryRun !== true) requireRecipient(context);
  return makeDataKeyPair(kms, 'GenerateDataKeyPair', input, context, async (privateKey) => ({
    PrivateKeyPlaintext: await sealAnswer(kms, 'GenerateDataKeyPair', privateKey, context),
  }));
});
