import type { RequestContext } from '@holdfast/contracts';
import { z } from 'zod';
import { refuse } from '../domain/errors.ts';
import { requireRetirement, resolveKey } from './access.ts';
import { action, appendOptions } from './action.ts';
import { endDryRun } from './key-use.ts';
import type { GrantRecord, KeyRecord, Kms } from './ports.ts';
import { dryRun, grantId, keyId } from './shapes.ts';

const shape = z.strictObject({
  GrantToken: z.string().min(1).max(8192).optional(),
  KeyId: keyId.optional(),
  GrantId: grantId.optional(),
  DryRun: dryRun,
});

const EITHER_OR = { message: 'Please specify either a grant token, or a key ARN and a grant ID.' };

const named = async (
  kms: Kms,
  input: z.output<typeof shape>,
  context: RequestContext,
): Promise<{ key: KeyRecord; grantId: string }> => {
  const { GrantToken, KeyId, GrantId } = input;
  if (GrantToken !== undefined) {
    if (KeyId !== undefined || GrantId !== undefined) return refuse('Invalid', EITHER_OR);
    const token = kms.tokens.read(GrantToken);
    const key = await kms.keys.find(token.keyId, context.region);
    if (key === null) return refuse('GrantNotFound', { grantId: token.grantId });
    return { key, grantId: token.grantId };
  }
  if (KeyId === undefined || GrantId === undefined) {
    return refuse('Invalid', EITHER_OR);
  }
  // A grant's key may be another account's, so that an id alone would not say which.
  if (!KeyId.startsWith('arn:')) return refuse('KeyArnRequired', { keyId: KeyId });
  return { key: await resolveKey(kms, KeyId, context, { action: 'RetireGrant', aliases: false }), grantId: GrantId };
};

/** @throws DomainError AccessDenied; also for an absent grant when the caller could not have retired it anyway. */
const requireRetirable = async (
  kms: Kms,
  context: RequestContext,
  key: KeyRecord,
  grantId: string,
): Promise<GrantRecord> => {
  const found = await kms.grants.find(grantId);
  const grant = found?.keyArn === key.arn ? found : null;
  if (grant === null && context.principal.accountId === key.accountId) return refuse('GrantNotFound', { grantId });
  await requireRetirement(kms, key, grant === null ? [] : [grant], context);
  return grant ?? refuse('GrantNotFound', { grantId });
};

export const retireGrant = action(shape, async (kms, input, context) => {
  const { key, grantId: id } = await named(kms, input, context);
  const grant = await requireRetirable(kms, context, key, id);
  endDryRun(input.DryRun);
  const retired = {
    grantId: grant.grantId,
    keyArn: key.arn,
    retiredBy: context.principal.arn,
    at: kms.clock.instant(),
  };
  await kms.grantStreams.handle(grant.grantId, { type: 'RetireGrant', ...retired }, appendOptions(kms, context));
  return {};
});
