import type { InternalRequests, RequestContext } from '@holdfast/contracts';
import type { Iam } from './ports.ts';

type Find = InternalRequests['identity']['FindInstanceProfile'];

/** What EC2 has to know of a profile that an instance is to have: whose role goes with it is asked of `iam:PassRole`. */
export const findInstanceProfile = async (
  iam: Iam,
  input: Find['in'],
  { accountId }: RequestContext,
): Promise<Find['out']> => {
  const row =
    'arn' in input
      ? (await iam.tables.identitiesByArn([input.arn])).find((found) => found.accountId === accountId)
      : await iam.tables.identity(accountId, 'instance-profile', input.name);
  if (row == null || row.kind !== 'instance-profile') return null;
  const [role] = await iam.tables.roleOfProfiles([row.id]);
  return { arn: row.arn, instanceProfileId: row.id, roleArn: role?.arn ?? null };
};
