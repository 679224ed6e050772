import type { RequestContext } from '@holdfast/contracts';
import { z } from 'zod';
import { denial, mayRetire } from '../domain/authorize.ts';
import { refuse } from '../domain/errors.ts';
import { resolveKey } from './access.ts';
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

const named = async (
  kms: Kms,
  input: z.output<typeof shape>,
  context: RequestContext,
): Promise<{ key: KeyRecord; grantId: string }> => {
  const { GrantToken, KeyId, GrantId } = input;
  if (GrantToken !== undefined) {
    const token = kms.tokens.read(GrantToken);
    const key = await kms.keys.find(token.keyId);
    if (key === null || key.region !== context.region) return refuse('GrantNotFound', { grantId: token.grantId });
    return { key, grantId: token.grantId };
  }
  if (KeyId === undefined || GrantId === undefined) {
    return refuse('Invalid', { message: 'Please specify either a grant token, or a key ARN and a grant ID.' });
  }
  return { key: await resolveKey(kms, KeyId, context, { action: 'RetireGrant', aliases: false }), grantId: GrantId };
};

/** @throws DomainError AccessDenied; also for an absent grant when the caller could not have retired it anyway. */
const requireRetirable = (
  { principal }: RequestContext,
  key: KeyRecord,
  grant: GrantRecord | null,
  id: string,
): GrantRecord => {
  if (grant !== null && grant.keyId === key.keyId) {
    if (mayRetire(principal, grant)) return grant;
  } else if (principal.accountId === key.accountId) {
    return refuse('GrantNotFound', { grantId: id });
  }
  return refuse('AccessDenied', { message: denial({ action: 'RetireGrant', principal, key }) });
};

export const retireGrant = action(shape, async (kms, input, context) => {
  const { key, grantId: id } = await named(kms, input, context);
  const grant = requireRetirable(context, key, await kms.grants.find(id), id);
  endDryRun(input.DryRun);
  const retired = {
    grantId: grant.grantId,
    keyId: key.keyId,
    retiredBy: context.principal.arn,
    at: kms.clock.instant(),
  };
  await kms.grantStreams.handle(grant.grantId, { type: 'RetireGrant', ...retired }, appendOptions(kms, context));
  return {};
});
