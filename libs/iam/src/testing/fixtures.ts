import { admitPolicy, type CompiledPolicy, loadPolicy } from '../compile-policy.ts';
import type { AccessQuestion } from '../evaluate.ts';
import type { Grant } from '../grants.ts';
import type { IdentityKind, PolicyKind } from '../policy.ts';
import { awsService, federatedUser, roleSession, rootUser, user } from '../principal.ts';
import type { AccessRequest } from '../request.ts';

export const OWN = '111122223333';
export const OTHER = '444455556666';
export const REGION = 'eu-central-1';
export const EC2 = `ec2.${REGION}.amazonaws.com`;
export const KEY = `arn:aws:kms:${REGION}:${OWN}:key/1234abcd-12ab-34cd-56ef-1234567890ab`;
export const VOLUME = `arn:aws:ec2:${REGION}:${OWN}:volume/vol-0123456789abcdef0`;
export const AT = new Date('2026-07-01T12:00:00.000Z');

export const root = rootUser(OWN);
export const bob = user({
  arn: `arn:aws:iam::${OWN}:user/dev/bob`,
  id: 'AIDAEXAMPLEBOB000001',
  tags: { Team: 'blue' },
});
export const eve = user({ arn: `arn:aws:iam::${OTHER}:user/eve`, id: 'AIDAEXAMPLEEVE000001' });
export const admin = roleSession({
  roleArn: `arn:aws:iam::${OWN}:role/ops/admin`,
  roleId: 'AROAEXAMPLEADMIN0001',
  sessionName: 'monday',
});
export const foreignRole = roleSession({
  roleArn: `arn:aws:iam::${OTHER}:role/worker`,
  roleId: 'AROAEXAMPLEWORKER001',
  sessionName: 's',
});
export const federated = federatedUser({ accountId: OWN, userArn: bob.arn, name: 'bobs-guest' });
export const service = awsService(EC2);
export const foreignRoot = rootUser(OTHER);

export type StatementJson = Record<string, unknown>;

export const document = (...statements: StatementJson[]): string =>
  JSON.stringify({ Version: '2012-10-17', Statement: statements });

export const allow = (more: StatementJson = {}): StatementJson => ({
  Effect: 'Allow',
  Action: '*',
  Resource: '*',
  ...more,
});
export const deny = (more: StatementJson = {}): StatementJson => ({ ...allow(more), Effect: 'Deny' });
/** A statement that names principals of AWS. */
export const to = (principal: string | string[], more: StatementJson = {}): StatementJson =>
  allow({ Principal: { AWS: principal }, ...more });

export const policy = <Kind extends PolicyKind>(kind: Kind, ...statements: StatementJson[]): CompiledPolicy<Kind> =>
  admitPolicy(document(...statements), kind);
export const stored = <Kind extends PolicyKind>(kind: Kind, ...statements: StatementJson[]): CompiledPolicy<Kind> =>
  loadPolicy(document(...statements), kind);
export const identity = (...statements: StatementJson[]): CompiledPolicy<IdentityKind> =>
  policy('identity', ...statements);
export const keyPolicy = (...statements: StatementJson[]): CompiledPolicy<'key'> => policy('key', ...statements);

export const grantTo = (granteePrincipal: string, more: Partial<Grant> = {}): Grant => ({
  grantId: 'g1',
  granteePrincipal,
  operations: ['Decrypt', 'DescribeKey'],
  constraints: null,
  ...more,
});

/** Bob decrypts with a key of his account; nothing allows it. */
export const question = ({
  request,
  ...more
}: Omit<Partial<AccessQuestion>, 'request'> & { request?: Partial<AccessRequest> } = {}): AccessQuestion => ({
  request: { principal: bob, action: 'kms:Decrypt', resource: KEY, region: REGION, at: AT, ...request },
  identityPolicies: [],
  resourceAccount: OWN,
  ...more,
});
