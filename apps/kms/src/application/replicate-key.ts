import { REGIONS, type Region } from '@holdfast/contracts';
import { z } from 'zod';
import { checkPolicy, keyPolicyText } from '../domain/access.ts';
import { refuse } from '../domain/errors.ts';
import { keyArnOf } from '../domain/names.ts';
import { checkTags } from '../domain/tags.ts';
import { accessRequest, openKeyFor, requireAccess, requireTagging } from './access.ts';
import { action } from './action.ts';
import { tagConditions } from './create-key.ts';
import { applyChange } from './key-changes.ts';
import { describeMetadata } from './key-metadata.ts';
import { principalIdsOf } from './principals.ts';
import { keyId, policyText, regionName, tagList } from './shapes.ts';

const shape = z.strictObject({
  KeyId: keyId,
  ReplicaRegion: regionName,
  Policy: policyText.optional(),
  BypassPolicyLockoutSafetyCheck: z.boolean().default(false),
  Description: z.string().max(8192).default(''),
  Tags: tagList.default([]),
});

/** @throws DomainError Invalid for a Region that there is not. */
export const regionOf = (name: string): Region =>
  REGIONS.includes(name) ? (name as Region) : refuse('Invalid', { message: `The Region ${name} does not exist.` });

/** The replica is there at once, with the primary's material and a policy, tags and aliases of its own. */
export const replicateKey = action(shape, async (kms, input, context) => {
  const { Description: description, Tags: tags, Policy: policy = null, BypassPolicyLockoutSafetyCheck: bypass } = input;
  const replicaRegion = regionOf(input.ReplicaRegion);
  checkTags(tags);
  const conditions = { 'kms:ReplicaRegion': replicaRegion, 'kms:BypassPolicyLockoutSafetyCheck': bypass };
  const key = await openKeyFor(kms, 'ReplicateKey', input.KeyId, context, { conditions });
  const there = { ...context, region: replicaRegion };
  const ofReplica = { 'kms:MultiRegion': true, 'kms:MultiRegionKeyType': 'REPLICA', ...tagConditions(tags) };
  await requireAccess(kms, 'CreateKey', null, there, { conditions: ofReplica });
  await requireTagging(kms, tags, ofReplica, there);
  const replicaArn = keyArnOf({ region: replicaRegion, accountId: key.accountId }, key.keyId);
  if (policy !== null) {
    const { requestAlias: _, ...same } = key;
    const future = { ...same, region: replicaRegion, arn: replicaArn, tags, policy, principalIds: {} };
    checkPolicy(
      policy,
      { ...(await accessRequest(kms, 'PutKeyPolicy', null, there)), key: future },
      { bypass, ...kms.quotas },
    );
  }
  if (await kms.keys.hasAtLeast(there, kms.quotas.keys)) refuse('KeyLimitExceeded', {});
  const principalIds = await principalIdsOf(kms, policy, context);
  const change = { type: 'ReplicateKey', replicaRegion, description, tags, policy, principalIds } as const;
  await applyChange(kms, key, context, change);
  const replica = await kms.keys.find(key.keyId, replicaRegion);
  if (replica === null) throw new Error(`${replicaArn} is not found after it was created`);
  return {
    ReplicaKeyMetadata: await describeMetadata(kms, replica),
    ReplicaPolicy: keyPolicyText(replica),
    ReplicaTags: replica.tags,
  };
});
