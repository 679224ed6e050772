import type { AccessTarget, Input, ResourceFacts, TargetCaller } from './access-target.ts';

export type IamKind = 'user' | 'group' | 'role' | 'instance-profile' | 'policy';

/** Members that name the resource of an IAM call, in the order in which they count. */
const RESOURCE_MEMBERS: readonly (readonly [member: string, kind: IamKind])[] = [
  ['UserName', 'user'],
  ['RoleName', 'role'],
  ['GroupName', 'group'],
  ['InstanceProfileName', 'instance-profile'],
  ['PolicyArn', 'policy'],
];

/** Calls that make a resource: its ARN is what the request says, path included. */
const CREATIONS: Readonly<Record<string, readonly [kind: IamKind, member: string]>> = {
  CreateGroup: ['group', 'GroupName'],
  CreateInstanceProfile: ['instance-profile', 'InstanceProfileName'],
  CreatePolicy: ['policy', 'PolicyName'],
  CreateRole: ['role', 'RoleName'],
  CreateUser: ['user', 'UserName'],
};

/** Calls that name nothing and work on all of a kind. */
const LISTS: Readonly<Record<string, IamKind>> = {
  ListGroups: 'group',
  ListInstanceProfiles: 'instance-profile',
  ListPolicies: 'policy',
  ListRoles: 'role',
  ListUsers: 'user',
};

/** Without a name these work on the user who calls. */
const OF_THE_CALLER = new Set([
  'CreateAccessKey',
  'DeleteAccessKey',
  'DeleteLoginProfile',
  'GetLoginProfile',
  'GetUser',
  'ListAccessKeys',
  'ListMFADevices',
  'ListSSHPublicKeys',
  'ListServiceSpecificCredentials',
  'ListSigningCertificates',
  'UpdateAccessKey',
]);

/** What is changed; the user or role that comes or goes is no resource of the call. */
const CHANGED: Readonly<Record<string, readonly [member: string, kind: IamKind]>> = {
  AddRoleToInstanceProfile: ['InstanceProfileName', 'instance-profile'],
  AddUserToGroup: ['GroupName', 'group'],
  RemoveRoleFromInstanceProfile: ['InstanceProfileName', 'instance-profile'],
  RemoveUserFromGroup: ['GroupName', 'group'],
};

/**
 * Whoever gives a service a role needs `iam:PassRole` on it.
 * @param associatedArn of what it is for: `iam:AssociatedResourceArn`.
 */
export const passRole = (roleArn: string, accountId: string, associatedArn?: string): AccessTarget => ({
  action: 'iam:PassRole',
  resource: roleArn,
  resourceAccount: accountId,
  context: { 'iam:PassedToService': 'ec2.amazonaws.com', 'iam:AssociatedResourceArn': associatedArn },
});

interface Tag {
  Key?: string;
  Value?: string;
}

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

const requestContext = (input: Input): Record<string, string | readonly string[] | undefined> => {
  const tags = (input['Tags'] ?? []) as Tag[];
  return {
    ...Object.fromEntries(tags.map(({ Key = '', Value = '' }) => [`aws:RequestTag/${Key}`, Value])),
    'aws:TagKeys': tags.map(({ Key = '' }) => Key),
    'iam:PolicyARN': text(input['PolicyArn']),
    'iam:PermissionsBoundary': text(input['PermissionsBoundary']),
  };
};

const named = (operation: string, input: Input): readonly [IamKind, string] | null => {
  const changed = CHANGED[operation];
  for (const [member, kind] of changed === undefined ? RESOURCE_MEMBERS : [changed]) {
    const name = text(input[member]);
    if (name !== undefined) return [kind, name];
  }
  return null;
};

/**
 * The permission that an IAM call needs. What exists is asked for its ARN: a name alone says neither path nor spelling, which
 * a policy that denies may be written against.
 * @see Service authorization reference, AWS Identity and Access Management
 */
export const iamTargets = async (
  operation: string,
  input: Input,
  caller: TargetCaller & { principal: { arn: string } },
  facts: Pick<ResourceFacts, 'iamResource'>,
): Promise<AccessTarget[]> => {
  const { accountId } = caller;
  const context = requestContext(input);
  const target = (resource: string, more: Record<string, string> = {}): AccessTarget[] => [
    { action: `iam:${operation}`, resource, resourceAccount: accountId, context: { ...context, ...more } },
  ];
  const arn = (kind: IamKind, pathAndName: string) => `arn:aws:iam::${accountId}:${kind}${pathAndName}`;
  const creation = CREATIONS[operation];
  if (creation) return target(arn(creation[0], `${text(input['Path']) ?? '/'}${text(input[creation[1]]) ?? ''}`));
  if (operation === 'CreateServiceLinkedRole') {
    const service = text(input['AWSServiceName']) ?? '';
    return target(arn('role', `/aws-service-role/${service}/*`), { 'iam:AWSServiceName': service });
  }
  const found = named(operation, input);
  if (found) {
    const [kind, name] = found;
    const resource = await facts.iamResource(kind, name);
    const tags = Object.entries(resource?.tags ?? {}).flatMap(([key, value]) => [
      [`aws:ResourceTag/${key}`, value],
      [`iam:ResourceTag/${key}`, value],
    ]);
    const absent = kind === 'policy' ? name : arn(kind, `/${name}`);
    const own = target(resource?.arn ?? absent, Object.fromEntries(tags) as Record<string, string>);
    const passed = operation === 'AddRoleToInstanceProfile' ? text(input['RoleName']) : undefined;
    if (passed === undefined) return own;
    const role = await facts.iamResource('role', passed);
    return [...own, passRole(role?.arn ?? arn('role', `/${passed}`), accountId)];
  }
  if (OF_THE_CALLER.has(operation)) return target(caller.principal.arn);
  const kind = LISTS[operation];
  return target(kind === undefined ? '*' : arn(kind, '/*'));
};

/** Calls of STS that whoever is authenticated may make, or whose permission a role's trust decides (`identity` asks it). */
const FREE_STS_CALLS = new Set(['GetCallerIdentity', 'GetSessionToken', 'AssumeRole', 'GetAccessKeyInfo']);

export const stsTargets = (operation: string, input: Input, { accountId }: TargetCaller): AccessTarget[] => {
  if (FREE_STS_CALLS.has(operation)) return [];
  const name = text(input['Name']);
  const resource = operation === 'GetFederationToken' ? `arn:aws:sts::${accountId}:federated-user/${name ?? '*'}` : '*';
  return [{ action: `sts:${operation}`, resource, resourceAccount: resource === '*' ? null : accountId }];
};
