import { randomBytes, randomUUID } from 'node:crypto';
import type { RequestContext } from '@holdfast/contracts';
import { z } from 'zod';
import { checkPolicy } from '../domain/access.ts';
import { refuse } from '../domain/errors.ts';
import {
  checkKind,
  FOREIGN_KEY_USAGE,
  isKeySpec,
  KEY_SPEC_NAMES,
  KEY_USAGES,
  type KeyKind,
} from '../domain/key-specs.ts';
import { keyArnOf } from '../domain/names.ts';
import { checkTags } from '../domain/tags.ts';
import { accessRequest, requireAccess, requireTagging } from './access.ts';
import { action, appendOptions } from './action.ts';
import { describeMetadata } from './key-metadata.ts';
import { makeMaterial } from './new-material.ts';
import type { Kms } from './ports.ts';
import { principalIdsOf } from './principals.ts';
import { policyText, tagList } from './shapes.ts';

const shape = z.strictObject({
  Description: z.string().max(8192).default(''),
  KeyUsage: z.enum([...KEY_USAGES, FOREIGN_KEY_USAGE]).optional(),
  KeySpec: z.enum(KEY_SPEC_NAMES).optional(),
  CustomerMasterKeySpec: z.enum(KEY_SPEC_NAMES).optional(),
  Origin: z.enum(['AWS_KMS', 'EXTERNAL', 'AWS_CLOUDHSM', 'EXTERNAL_KEY_STORE']).default('AWS_KMS'),
  MultiRegion: z.boolean().default(false),
  Policy: policyText.optional(),
  BypassPolicyLockoutSafetyCheck: z.boolean().default(false),
  Tags: tagList.default([]),
});
type CreateKeyRequest = z.output<typeof shape>;

/** @throws DomainError Invalid | NotSupported */
const kindOf = (input: CreateKeyRequest): KeyKind => {
  if (input.KeySpec !== undefined && input.CustomerMasterKeySpec !== undefined) {
    const message =
      'You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.';
    return refuse('Invalid', { message });
  }
  const spec = input.KeySpec ?? input.CustomerMasterKeySpec ?? 'SYMMETRIC_DEFAULT';
  if (!isKeySpec(spec)) return refuse('NotSupported', { message: `KeySpec ${spec} is not supported.` });
  return checkKind(spec, input.KeyUsage);
};

const originOf = ({ Origin: origin }: CreateKeyRequest): 'AWS_KMS' | 'EXTERNAL' =>
  origin === 'AWS_KMS' || origin === 'EXTERNAL'
    ? origin
    : refuse('NotSupported', { message: `Origin ${origin} is not supported.` });

/** Values of the condition keys that CreateKey and ReplicateKey have for the key to be. */
export const tagConditions = (
  tags: readonly { TagKey: string; TagValue: string }[],
): Record<string, string | string[]> => ({
  ...Object.fromEntries(tags.map(({ TagKey, TagValue }) => [`aws:RequestTag/${TagKey}`, TagValue])),
  'aws:TagKeys': tags.map(({ TagKey }) => TagKey),
});

const requirePermission = async (
  kms: Kms,
  input: CreateKeyRequest,
  kind: KeyKind,
  context: RequestContext,
): Promise<void> => {
  const conditions = {
    'kms:KeySpec': kind.keySpec,
    'kms:KeyUsage': kind.keyUsage,
    'kms:CustomerMasterKeySpec': kind.keySpec,
    'kms:CustomerMasterKeyUsage': kind.keyUsage,
    'kms:KeyOrigin': input.Origin,
    'kms:MultiRegion': input.MultiRegion,
    ...(input.MultiRegion ? { 'kms:MultiRegionKeyType': 'PRIMARY' } : {}),
    'kms:BypassPolicyLockoutSafetyCheck': input.BypassPolicyLockoutSafetyCheck,
    ...tagConditions(input.Tags),
  };
  await requireAccess(kms, 'CreateKey', null, context, { conditions });
  await requireTagging(kms, input.Tags, conditions, context);
};

export const createKey = action(shape, async (kms, input, context) => {
  const kind = kindOf(input);
  const origin = originOf(input);
  const { Description: description, Tags: tags, MultiRegion: multiRegion, Policy: policy = null } = input;
  checkTags(tags);
  await requirePermission(kms, input, kind, context);
  const { accountId, region } = context;
  const keyId = multiRegion ? `mrk-${randomBytes(16).toString('hex')}` : randomUUID();
  if (policy !== null) {
    const place = { accountId, region, arn: keyArnOf(context, keyId), primaryRegion: region };
    const future = {
      ...kind,
      ...place,
      keyManager: 'CUSTOMER',
      origin,
      multiRegion,
      tags,
      policy,
      principalIds: {},
    } as const;
    const asked = { ...(await accessRequest(kms, 'PutKeyPolicy', null, context)), key: future };
    checkPolicy(policy, asked, { bypass: input.BypassPolicyLockoutSafetyCheck, ...kms.quotas });
  }
  const principalIds = await principalIdsOf(kms, policy, context);
  if (await kms.keys.hasAtLeast(context, kms.quotas.keys)) refuse('KeyLimitExceeded', {});
  const none = { materialId: null, publicKey: null };
  const material = origin === 'EXTERNAL' ? none : await makeMaterial(kms, keyId, kind.keySpec);
  const whose = { keyId, accountId, region, keyManager: 'CUSTOMER' } as const;
  const what = { ...kind, origin, multiRegion, description, tags, policy, principalIds, ...material };
  const command = { type: 'CreateKey', ...whose, ...what, at: kms.clock.instant() } as const;
  await kms.keyStreams.handle(keyId, command, appendOptions(kms, context));
  const record = await kms.keys.find(keyId, region);
  if (record === null) throw new Error(`key ${keyId} is not found after it was created`);
  return { KeyMetadata: await describeMetadata(kms, record) };
});
