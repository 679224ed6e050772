import { randomBytes, randomUUID } from 'node:crypto';
import { z } from 'zod';
import { refuse } from '../domain/errors.ts';
import { checkTags } from '../domain/tags.ts';
import { requireAccess } from './access.ts';
import { action, appendOptions } from './action.ts';
import { keyMetadata } from './key-metadata.ts';
import { tag } from './shapes.ts';

const KEY_SPECS = [
  'RSA_2048', 'RSA_3072', 'RSA_4096', 'ECC_NIST_P256', 'ECC_NIST_P384', 'ECC_NIST_P521', 'ECC_SECG_P256K1',
  'SYMMETRIC_DEFAULT', 'HMAC_224', 'HMAC_256', 'HMAC_384', 'HMAC_512', 'SM2', 'ML_DSA_44', 'ML_DSA_65', 'ML_DSA_87',
  'ECC_NIST_EDWARDS25519',
] as const; // prettier-ignore

const shape = z.strictObject({
  Description: z.string().max(8192).default(''),
  KeyUsage: z.enum(['SIGN_VERIFY', 'ENCRYPT_DECRYPT', 'GENERATE_VERIFY_MAC', 'KEY_AGREEMENT']).optional(),
  KeySpec: z.enum(KEY_SPECS).optional(),
  CustomerMasterKeySpec: z.enum(KEY_SPECS).optional(),
  Origin: z.enum(['AWS_KMS', 'EXTERNAL', 'AWS_CLOUDHSM', 'EXTERNAL_KEY_STORE']).default('AWS_KMS'),
  MultiRegion: z.boolean().default(false),
  Tags: z.array(tag).default([]),
  // Bears on a Policy only; the default policy, the one there is here, locks nobody out.
  BypassPolicyLockoutSafetyCheck: z.boolean().optional(),
});

/** Only symmetric encryption keys in one Region, with material made here, for now. */
const requireSupported = (input: z.output<typeof shape>): void => {
  const { KeyUsage: usage, Origin: origin, MultiRegion: multiRegion } = input;
  if (input.KeySpec !== undefined && input.CustomerMasterKeySpec !== undefined) {
    const message =
      'You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.';
    refuse('Invalid', { message });
  }
  const spec = input.KeySpec ?? input.CustomerMasterKeySpec ?? 'SYMMETRIC_DEFAULT';
  if (spec !== 'SYMMETRIC_DEFAULT') {
    if (usage === undefined) {
      const message = 'You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.';
      refuse('Invalid', { message });
    }
    refuse('NotSupported', { message: `KeySpec ${spec} is not supported.` });
  }
  if (usage !== undefined && usage !== 'ENCRYPT_DECRYPT') {
    refuse('Invalid', { message: `KeyUsage ${usage} is not compatible with KeySpec ${spec}` });
  }
  if (origin !== 'AWS_KMS') refuse('NotSupported', { message: `Origin ${origin} is not supported.` });
  if (multiRegion) refuse('NotSupported', { message: 'Multi-Region keys are not supported.' });
};

export const createKey = action(shape, async (kms, input, context) => {
  requireSupported(input);
  const { Description: description, Tags: tags } = input;
  checkTags(tags);
  await requireAccess(kms, 'CreateKey', null, context);
  const { accountId, region } = context;
  const [keyId, materialId] = [randomUUID(), randomBytes(32).toString('hex')];
  // First the material, then the key that names it: a crash between leaves material without a key, never the reverse.
  await kms.materials.create({ keyId, materialId });
  const key = { keyId, accountId, region, keyManager: 'CUSTOMER', description, tags, materialId } as const;
  const command = { type: 'CreateKey', ...key, at: kms.clock.instant() } as const;
  await kms.keyStreams.handle(keyId, command, appendOptions(kms, context));
  const record = await kms.keys.find(keyId);
  if (record === null) throw new Error(`key ${keyId} is not found after it was created`);
  return { KeyMetadata: keyMetadata(record) };
});
