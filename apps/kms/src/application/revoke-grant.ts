import { z } from 'zod';
import { refuse } from '../domain/errors.ts';
import { openKey } from './access.ts';
import { action, appendOptions } from './action.ts';
import { endDryRun } from './key-use.ts';
import { dryRun, grantId, keyId } from './shapes.ts';

const shape = z.strictObject({ KeyId: keyId, GrantId: grantId, DryRun: dryRun });

export const revokeGrant = action(shape, async (kms, input, context) => {
  const key = await openKey(kms, input.KeyId, context, { action: 'RevokeGrant', aliases: false });
  const grant = await kms.grants.find(input.GrantId);
  if (grant?.keyArn !== key.arn) return refuse('GrantNotFound', { grantId: input.GrantId });
  endDryRun(input.DryRun);
  const revoked = { grantId: grant.grantId, keyArn: key.arn, at: kms.clock.instant() };
  await kms.grantStreams.handle(grant.grantId, { type: 'RevokeGrant', ...revoked }, appendOptions(kms, context));
  return {};
});
