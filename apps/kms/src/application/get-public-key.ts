import { z } from 'zod';
import { refuse } from '../domain/errors.ts';
import { ALGORITHM_LISTS, algorithmsOf, KEY_SPECS } from '../domain/key-specs.ts';
import { requireState } from '../domain/key-state.ts';
import { checkGrantTokens, openKey } from './access.ts';
import { action } from './action.ts';
import { publicKeyBytesOf } from './ciphertext.ts';
import { grantTokens, keyId } from './shapes.ts';

const shape = z.strictObject({ KeyId: keyId, GrantTokens: grantTokens });

export const getPublicKey = action(shape, async (kms, input, context) => {
  checkGrantTokens(kms, input.GrantTokens);
  const key = await openKey(kms, input.KeyId, context, { action: 'GetPublicKey', aliases: true });
  if (KEY_SPECS[key.keySpec].kind !== 'pair') return refuse('OperationUnsupported', {});
  requireState('GetPublicKey', key.state, key.arn);
  return {
    KeyId: key.arn,
    PublicKey: publicKeyBytesOf(key).toString('base64'),
    CustomerMasterKeySpec: key.keySpec,
    KeySpec: key.keySpec,
    KeyUsage: key.keyUsage,
    [ALGORITHM_LISTS[key.keyUsage]]: algorithmsOf(key),
  };
});
