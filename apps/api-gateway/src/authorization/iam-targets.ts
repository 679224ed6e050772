import type { AccessTarget, Input, TargetCaller } from './access-target.ts';

/** Members that name the resource of an IAM call, in the order in which they count. */
const RESOURCE_MEMBERS = [
  ['UserName', 'user'],
  ['RoleName', 'role'],
  ['GroupName', 'group'],
  ['InstanceProfileName', 'instance-profile'],
] as const;

/** Calls on users, roles or groups that name none work on all of them, or (on users) on the caller. */
const KIND_BY_OPERATION: readonly (readonly [RegExp, string])[] = [
  [/^(?:ListUsers|GetAccountAuthorizationDetails)$/, 'user'],
  [/^ListRoles$/, 'role'],
  [/^ListGroups$/, 'group'],
  [/^ListPolicies$/, 'policy'],
];

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

const GROUP_CALLS = new Set(['AddUserToGroup', 'RemoveUserFromGroup']);

/**
 * The permission that an IAM call needs. Names stand for resources without a path: a policy that gives a path does not match.
 * @see Service authorization reference, AWS Identity and Access Management
 */
export const iamTargets = (operation: string, input: Input, { accountId }: TargetCaller): AccessTarget[] => {
  const arn = (kind: string, name: string) => `arn:aws:iam::${accountId}:${kind}/${name}`;
  const policyArn = text(input['PolicyArn']);
  const context = policyArn === undefined ? {} : { 'iam:PolicyARN': policyArn };
  const target = (resource: string): AccessTarget[] => [
    { action: `iam:${operation}`, resource, resourceAccount: accountId, context },
  ];
  if (GROUP_CALLS.has(operation)) return target(arn('group', text(input['GroupName']) ?? '*'));
  for (const [member, kind] of RESOURCE_MEMBERS) {
    const name = text(input[member]);
    if (name !== undefined) return target(arn(kind, name));
  }
  if (policyArn !== undefined) return target(policyArn);
  const policyName = text(input['PolicyName']);
  if (policyName !== undefined) return target(arn('policy', policyName));
  const [, kind] = KIND_BY_OPERATION.find(([pattern]) => pattern.test(operation)) ?? [];
  return target(kind === undefined ? '*' : arn(kind, '*'));
};

/** Calls of STS that whoever is authenticated may make, or whose permission a role's trust decides (`identity` asks it). */
const FREE_STS_CALLS = new Set(['GetCallerIdentity', 'GetSessionToken', 'AssumeRole', 'GetAccessKeyInfo']);

export const stsTargets = (operation: string, input: Input, { accountId }: TargetCaller): AccessTarget[] => {
  if (FREE_STS_CALLS.has(operation)) return [];
  const name = text(input['Name']);
  const resource = operation === 'GetFederationToken' ? `arn:aws:sts::${accountId}:federated-user/${name ?? '*'}` : '*';
  return [{ action: `sts:${operation}`, resource, resourceAccount: resource === '*' ? null : accountId }];
};

/** EBS direct works on snapshots. */
export const ebsTargets = (operation: string, input: Input, { region }: TargetCaller): AccessTarget[] => {
  const snapshotId = text(input['SnapshotId']) ?? text(input['SecondSnapshotId']) ?? '*';
  return [
    { action: `ebs:${operation}`, resource: `arn:aws:ec2:${region}::snapshot/${snapshotId}`, resourceAccount: null },
  ];
};
