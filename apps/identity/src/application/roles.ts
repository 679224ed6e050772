import type { iam as api } from '@holdfast/aws-protocol';
import { AwsError, type RequestContext } from '@holdfast/contracts';
import { newId } from '../domain/ids.ts';
import { SERVICE_ROLE_PATH } from '../domain/quotas.ts';
import type { ActionsOf } from './action.ts';
import type { Iam, IdentityRow } from './ports.ts';
import {
  boundaryShape,
  change,
  checkPolicyArn,
  encodedDocument,
  existingRow,
  page,
  tagsOf,
  tagsShape,
} from './support.ts';
import { checkTrustPolicy, currentTrustPolicy } from './trust-policies.ts';

const DEFAULT_SESSION_SECONDS = 3600;

/** As lists and instance profiles show it: without tags and boundary. */
export const listedRole = async (iam: Iam, row: IdentityRow): Promise<api.Role> => ({
  ...{ Path: row.path, RoleName: row.name, RoleId: row.id, Arn: row.arn, CreateDate: row.createdAt },
  AssumeRolePolicyDocument: encodedDocument(await currentTrustPolicy(iam, row)),
  ...(row.description === null ? {} : { Description: row.description }),
  MaxSessionDuration: row.maxSessionSeconds ?? DEFAULT_SESSION_SECONDS,
});

export const roleOf = async (iam: Iam, row: IdentityRow): Promise<api.Role> => ({
  ...(await listedRole(iam, row)),
  ...boundaryShape(row.permissionsBoundary),
  ...tagsShape(row.tags),
});

const described = async (iam: Iam, name: string, context: RequestContext) => ({
  Role: await roleOf(iam, await existingRow(iam, context, 'role', name)),
});

const createRole = async (iam: Iam, input: api.CreateRoleRequest, context: RequestContext) => {
  const { RoleName: name, Path: path = '/', AssumeRolePolicyDocument: document, PermissionsBoundary } = input;
  if (path.startsWith(SERVICE_ROLE_PATH)) {
    throw new AwsError({
      code: 'ValidationError',
      message: 'The path /aws-service-role/ is reserved for service-linked roles.',
    });
  }
  const principalIds = await checkTrustPolicy(iam, document);
  await change(iam, context, {
    ...{ type: 'CreateRole', roleId: newId('role'), name, path, document, principalIds },
    description: input.Description ?? null,
    maxSessionDurationSeconds: input.MaxSessionDuration ?? DEFAULT_SESSION_SECONDS,
    tags: tagsOf(input.Tags),
    boundary: PermissionsBoundary === undefined ? null : checkPolicyArn(PermissionsBoundary),
  });
  return described(iam, name, context);
};

export const roles: ActionsOf<
  api.Operations,
  | 'CreateRole'
  | 'GetRole'
  | 'ListRoles'
  | 'UpdateRole'
  | 'UpdateRoleDescription'
  | 'UpdateAssumeRolePolicy'
  | 'DeleteRole'
  | 'PutRolePermissionsBoundary'
  | 'DeleteRolePermissionsBoundary'
> = {
  CreateRole: createRole,
  GetRole: (iam, { RoleName }, context) => described(iam, RoleName, context),
  ListRoles: async (iam, { PathPrefix: pathPrefix = '/', ...request }, context) => {
    const read = (after: string, limit: number) =>
      iam.tables.identities(context.accountId, 'role', { after, limit, pathPrefix });
    const { rows, end } = await page(iam, context, ['roles', pathPrefix], request, read, (row) => row.lowerName);
    return { Roles: await Promise.all(rows.map((row) => listedRole(iam, row))), ...end };
  },
  UpdateRole: (iam, { RoleName: name, Description: description, MaxSessionDuration }, context) =>
    change(iam, context, {
      ...{ type: 'UpdateRole', name, description, maxSessionDurationSeconds: MaxSessionDuration },
    }),
  UpdateRoleDescription: async (iam, { RoleName: name, Description: description }, context) => {
    await change(iam, context, { type: 'UpdateRole', name, description });
    return described(iam, name, context);
  },
  UpdateAssumeRolePolicy: async (iam, { RoleName: name, PolicyDocument: document }, context) => {
    const principalIds = await checkTrustPolicy(iam, document);
    return change(iam, context, { type: 'UpdateAssumeRolePolicy', name, document, principalIds });
  },
  DeleteRole: (iam, { RoleName: name }, context) => change(iam, context, { type: 'DeleteRole', name }),
  PutRolePermissionsBoundary: (iam, { RoleName: name, PermissionsBoundary }, context) =>
    change(iam, context, {
      ...{ type: 'PutPermissionsBoundary', entity: { kind: 'role', name } },
      policyArn: checkPolicyArn(PermissionsBoundary),
    }),
  DeleteRolePermissionsBoundary: (iam, { RoleName: name }, context) =>
    change(iam, context, { type: 'DeletePermissionsBoundary', entity: { kind: 'role', name } }),
};
