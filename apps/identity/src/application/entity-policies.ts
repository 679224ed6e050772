import type { iam as api } from '@holdfast/aws-protocol';
import type { RequestContext } from '@holdfast/contracts';
import { refuse } from '../domain/errors.ts';
import type { EntityName } from '../domain/iam.commands.ts';
import type { ActionsOf } from './action.ts';
import type { Iam } from './ports.ts';
import { change, checkDocument, checkPolicyArn, encodedDocument, existingRow, pageOf } from './support.ts';

type Page = Pick<api.ListUserPoliciesRequest, 'MaxItems' | 'Marker'>;

const user = (name: string): EntityName => ({ kind: 'user', name });
const group = (name: string): EntityName => ({ kind: 'group', name });
const role = (name: string): EntityName => ({ kind: 'role', name });

const attach = (iam: Iam, entity: EntityName, arn: string, context: RequestContext) =>
  change(iam, context, { type: 'AttachPolicy', entity, policyArn: checkPolicyArn(arn) });
const detach = (iam: Iam, entity: EntityName, arn: string, context: RequestContext) =>
  change(iam, context, { type: 'DetachPolicy', entity, policyArn: checkPolicyArn(arn) });

const put = (iam: Iam, entity: EntityName, policyName: string, document: string, context: RequestContext) => {
  checkDocument(document, 'identity');
  return change(iam, context, { type: 'PutInlinePolicy', entity, policyName, document });
};
const remove = (iam: Iam, entity: EntityName, policyName: string, context: RequestContext) =>
  change(iam, context, { type: 'DeleteInlinePolicy', entity, policyName });

/** The policy, and its entity's name as it is spelt. @throws DomainError EntityNotFound | InlinePolicyNotFound */
const get = async (iam: Iam, { kind, name }: EntityName, policyName: string, context: RequestContext) => {
  const entity = await existingRow(iam, context, kind, name);
  const found = (await iam.tables.inlinePolicies([entity.id])).find((policy) => policy.policyName === policyName);
  if (found === undefined) return refuse('InlinePolicyNotFound', { kind, name: policyName });
  return { name: entity.name, PolicyName: policyName, PolicyDocument: encodedDocument(found.document) };
};

const listInline = async (iam: Iam, { kind, name }: EntityName, request: Page, context: RequestContext) => {
  const { id } = await existingRow(iam, context, kind, name);
  const names = (await iam.tables.inlinePolicies([id])).map(({ policyName }) => policyName);
  const { rows, end } = await pageOf(iam, context, ['inline', id], request, names, (policyName) => policyName);
  return { PolicyNames: [...rows], ...end };
};

const listAttached = async (
  iam: Iam,
  { kind, name }: EntityName,
  { PathPrefix = '/', ...request }: Page & { PathPrefix?: string },
  context: RequestContext,
) => {
  const { id } = await existingRow(iam, context, kind, name);
  const arns = (await iam.tables.attachedPolicies([id])).map(({ arn }) => arn);
  const ofPath = arns.filter((arn) => arn.slice(arn.indexOf(':policy/') + ':policy'.length).startsWith(PathPrefix));
  const { rows, end } = await pageOf(iam, context, ['attached', id, PathPrefix], request, ofPath, (arn) => arn);
  const AttachedPolicies = rows.map((arn) => ({ PolicyName: arn.slice(arn.lastIndexOf('/') + 1), PolicyArn: arn }));
  return { AttachedPolicies, ...end };
};

export const entityPolicies: ActionsOf<
  api.Operations,
  | 'AttachUserPolicy'
  | 'AttachGroupPolicy'
  | 'AttachRolePolicy'
  | 'DetachUserPolicy'
  | 'DetachGroupPolicy'
  | 'DetachRolePolicy'
  | 'ListAttachedUserPolicies'
  | 'ListAttachedGroupPolicies'
  | 'ListAttachedRolePolicies'
  | 'PutUserPolicy'
  | 'PutGroupPolicy'
  | 'PutRolePolicy'
  | 'GetUserPolicy'
  | 'GetGroupPolicy'
  | 'GetRolePolicy'
  | 'ListUserPolicies'
  | 'ListGroupPolicies'
  | 'ListRolePolicies'
  | 'DeleteUserPolicy'
  | 'DeleteGroupPolicy'
  | 'DeleteRolePolicy'
> = {
  AttachUserPolicy: (iam, { UserName, PolicyArn }, context) => attach(iam, user(UserName), PolicyArn, context),
  AttachGroupPolicy: (iam, { GroupName, PolicyArn }, context) => attach(iam, group(GroupName), PolicyArn, context),
  AttachRolePolicy: (iam, { RoleName, PolicyArn }, context) => attach(iam, role(RoleName), PolicyArn, context),
  DetachUserPolicy: (iam, { UserName, PolicyArn }, context) => detach(iam, user(UserName), PolicyArn, context),
  DetachGroupPolicy: (iam, { GroupName, PolicyArn }, context) => detach(iam, group(GroupName), PolicyArn, context),
  DetachRolePolicy: (iam, { RoleName, PolicyArn }, context) => detach(iam, role(RoleName), PolicyArn, context),
  ListAttachedUserPolicies: (iam, { UserName, ...request }, context) =>
    listAttached(iam, user(UserName), request, context),
  ListAttachedGroupPolicies: (iam, { GroupName, ...request }, context) =>
    listAttached(iam, group(GroupName), request, context),
  ListAttachedRolePolicies: (iam, { RoleName, ...request }, context) =>
    listAttached(iam, role(RoleName), request, context),
  PutUserPolicy: async (iam, { UserName, PolicyName, PolicyDocument }, context) =>
    put(iam, user(UserName), PolicyName, PolicyDocument, context),
  PutGroupPolicy: async (iam, { GroupName, PolicyName, PolicyDocument }, context) =>
    put(iam, group(GroupName), PolicyName, PolicyDocument, context),
  PutRolePolicy: async (iam, { RoleName, PolicyName, PolicyDocument }, context) =>
    put(iam, role(RoleName), PolicyName, PolicyDocument, context),
  GetUserPolicy: async (iam, { UserName, PolicyName }, context) => {
    const { name, ...policy } = await get(iam, user(UserName), PolicyName, context);
    return { UserName: name, ...policy };
  },
  GetGroupPolicy: async (iam, { GroupName, PolicyName }, context) => {
    const { name, ...policy } = await get(iam, group(GroupName), PolicyName, context);
    return { GroupName: name, ...policy };
  },
  GetRolePolicy: async (iam, { RoleName, PolicyName }, context) => {
    const { name, ...policy } = await get(iam, role(RoleName), PolicyName, context);
    return { RoleName: name, ...policy };
  },
  ListUserPolicies: (iam, { UserName, ...request }, context) => listInline(iam, user(UserName), request, context),
  ListGroupPolicies: (iam, { GroupName, ...request }, context) => listInline(iam, group(GroupName), request, context),
  ListRolePolicies: (iam, { RoleName, ...request }, context) => listInline(iam, role(RoleName), request, context),
  DeleteUserPolicy: (iam, { UserName, PolicyName }, context) => remove(iam, user(UserName), PolicyName, context),
  DeleteGroupPolicy: (iam, { GroupName, PolicyName }, context) => remove(iam, group(GroupName), PolicyName, context),
  DeleteRolePolicy: (iam, { RoleName, PolicyName }, context) => remove(iam, role(RoleName), PolicyName, context),
};
