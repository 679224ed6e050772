import { generateKeyPair, IMPORT_WRAPPINGS, type ImportWrapping } from '@holdfast/crypto';
import { instant } from '@holdfast/contracts';
import { z } from 'zod';
import { refuse } from '../domain/errors.ts';
import { openKeyFor } from './access.ts';
import { action } from './action.ts';
import { keyId } from './shapes.ts';

const TOKEN_LIFETIME_MS = 24 * 3_600_000;

const WRAPPINGS = [...(Object.keys(IMPORT_WRAPPINGS) as ImportWrapping[]), 'RSAES_PKCS1_V1_5', 'SM2PKE'] as const;
const KEY_SPECS = ['RSA_2048', 'RSA_3072', 'RSA_4096', 'SM2'] as const;

const shape = z.strictObject({
  KeyId: keyId,
  WrappingAlgorithm: z.enum(WRAPPINGS),
  WrappingKeySpec: z.enum(KEY_SPECS),
});

export const getParametersForImport = action(shape, async (kms, input, context) => {
  const { WrappingAlgorithm: wrapping, WrappingKeySpec: spec } = input;
  const conditions = { 'kms:WrappingAlgorithm': wrapping, 'kms:WrappingKeySpec': spec };
  const key = await openKeyFor(kms, 'GetParametersForImport', input.KeyId, context, { conditions });
  if (wrapping === 'RSAES_PKCS1_V1_5' || wrapping === 'SM2PKE' || spec === 'SM2') {
    return refuse('NotSupported', { message: `Wrapping with ${wrapping} and ${spec} is not supported.` });
  }
  // Imported private keys are longer than any RSA key can wrap by itself.
  if (key.keySpec.startsWith('RSA_') && !IMPORT_WRAPPINGS[wrapping].aesKeyWrap) {
    return refuse('Invalid', { message: `${wrapping} cannot wrap key material of key spec ${key.keySpec}.` });
  }
  const pair = await generateKeyPair(spec);
  const validTo = instant(new Date(kms.clock.now().getTime() + TOKEN_LIFETIME_MS));
  try {
    const parameters = { keyArn: key.arn, wrappingAlgorithm: wrapping, privateKey: pair.privateKey, validTo };
    return {
      KeyId: key.arn,
      ImportToken: kms.importTokens.issue(parameters).toString('base64'),
      PublicKey: pair.publicKey.toString('base64'),
      ParametersValidTo: validTo,
    };
  } finally {
    pair.privateKey.fill(0);
  }
});
