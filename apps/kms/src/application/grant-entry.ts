import type { GrantRecord } from './ports.ts';

/** AWS's GrantListEntry. */
export const grantEntry = (grant: GrantRecord): Record<string, unknown> => ({
  KeyId: grant.keyArn,
  GrantId: grant.grantId,
  Name: grant.name,
  CreationDate: grant.createdAt,
  GranteePrincipal: grant.granteePrincipal,
  ...(grant.retiringPrincipal === null ? {} : { RetiringPrincipal: grant.retiringPrincipal }),
  IssuingAccount: `arn:aws:iam::${grant.issuingAccount}:root`,
  Operations: grant.operations,
  ...(grant.constraints === null ? {} : { Constraints: grant.constraints }),
});
