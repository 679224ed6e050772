import type { InternalRequests, RequestContext } from '@holdfast/contracts';
import { awsManagedPolicy } from '../domain/aws-managed-policies.ts';
import type { Iam } from './ports.ts';

type Get = InternalRequests['identity']['GetIamResource'];

/** What a policy about IAM's own resources is evaluated against: names alone say neither path nor spelling. */
export const getIamResource = async (
  iam: Iam,
  { kind, name }: Get['in'],
  { accountId }: RequestContext,
): Promise<Get['out']> => {
  if (kind === 'policy') {
    if (awsManagedPolicy(name) !== null) return { arn: name, tags: {} };
    const isOwn = name.startsWith(`arn:aws:iam::${accountId}:policy/`);
    const policy = isOwn ? await iam.tables.policy(name) : null;
    return policy === null ? null : { arn: policy.arn, tags: { ...policy.tags } };
  }
  const row = await iam.tables.identity(accountId, kind, name);
  return row === null ? null : { arn: row.arn, tags: { ...row.tags } };
};
