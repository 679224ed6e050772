import { randomBytes } from 'node:crypto';
import type { RequestContext } from '@holdfast/contracts';
import { z } from 'zod';
import { refuse } from '../domain/errors.ts';
import { checkConstrainable, checkConstraints, checkOperations, checkPrincipal } from '../domain/grant-terms.ts';
import { hashTerms } from '../domain/grant-search.ts';
import { GRANT_OPERATIONS, type GrantTerms } from '../domain/grant.events.ts';
import { requireState } from '../domain/key-state.ts';
import { checkGrantTokens, requireAccess, resolveKey } from './access.ts';
import { action, appendOptions } from './action.ts';
import { endDryRun } from './key-use.ts';
import type { Kms, KeyRecord } from './ports.ts';
import { grantPrincipalIds } from './principals.ts';
import { dryRun, encryptionContext, grantTokens, keyId, principalArn } from './shapes.ts';

const shape = z.strictObject({
  KeyId: keyId,
  GranteePrincipal: principalArn,
  RetiringPrincipal: principalArn.optional(),
  Operations: z.array(z.enum(GRANT_OPERATIONS)).min(1),
  Constraints: z
    .strictObject({ EncryptionContextSubset: encryptionContext, EncryptionContextEquals: encryptionContext })
    .optional(),
  GrantTokens: grantTokens,
  Name: z.string().min(1).max(256).regex(/^[a-zA-Z0-9:/_-]+$/).optional(),
  DryRun: dryRun,
}); // prettier-ignore
type CreateGrantRequest = z.output<typeof shape>;

const termsOf = async (
  kms: Kms,
  input: CreateGrantRequest,
  key: KeyRecord,
  context: RequestContext,
): Promise<GrantTerms> => ({
  keyId: key.keyId,
  keyArn: key.arn,
  issuingAccount: context.principal.accountId,
  name: input.Name ?? '',
  granteePrincipal: input.GranteePrincipal,
  retiringPrincipal: input.RetiringPrincipal ?? null,
  ...(await grantPrincipalIds(kms, input.GranteePrincipal, input.RetiringPrincipal ?? null, context)),
  operations: checkOperations(input.Operations, key),
  constraints: checkConstraints(input.Constraints),
});

const findNamed = (kms: Kms, key: KeyRecord, terms: GrantTerms): Promise<string | null> =>
  terms.name === '' ? Promise.resolve(null) : kms.grants.findNamed(key, terms.name, hashTerms(terms));

/** @returns the grant's id: of two requests with one name and the same terms the second gets the first one's grant. */
const makeGrant = async (
  kms: Kms,
  key: KeyRecord,
  terms: GrantTerms,
  parentGrantId: string | null,
  context: RequestContext,
): Promise<string> => {
  const grantId = randomBytes(32).toString('hex');
  const command = { type: 'CreateGrant', grantId, parentGrantId, terms, at: kms.clock.instant() } as const;
  try {
    await kms.grantStreams.handle(grantId, command, appendOptions(kms, context));
    return grantId;
  } catch (error) {
    const other = await findNamed(kms, key, terms); // Named grants are unique: somebody made this one meanwhile.
    if (other !== null) return other;
    throw error;
  }
};

export const createGrant = action(shape, async (kms, input, context) => {
  const { GranteePrincipal, RetiringPrincipal } = input;
  const constraints = checkConstraints(input.Constraints);
  checkGrantTokens(kms, input.GrantTokens);
  const key = await resolveKey(kms, input.KeyId, context, { action: 'CreateGrant', aliases: false });
  const byService = context.viaService !== undefined || context.principal.type === 'AWSService';
  for (const arn of [GranteePrincipal, RetiringPrincipal]) if (arn !== undefined) checkPrincipal(arn, byService);
  const newGrant = {
    granteePrincipal: GranteePrincipal,
    retiringPrincipal: RetiringPrincipal ?? null,
    operations: input.Operations,
    constraints,
  };
  const parentGrantId = await requireAccess(kms, 'CreateGrant', key, context, { newGrant });
  checkConstrainable(constraints, key);
  const terms = await termsOf(kms, input, key, context);
  requireState('CreateGrant', key.state, key.arn);
  const existing = await findNamed(kms, key, terms);
  const isCounted = key.keyManager === 'CUSTOMER' && existing === null;
  if (isCounted && (await kms.grants.hasAtLeast(key, kms.quotas.grantsPerKey))) {
    refuse('GrantLimitExceeded', { arn: key.arn });
  }
  endDryRun(input.DryRun);
  const grantId = existing ?? (await makeGrant(kms, key, terms, parentGrantId, context));
  return { GrantId: grantId, GrantToken: kms.tokens.issue(grantId, key.keyId) };
});
