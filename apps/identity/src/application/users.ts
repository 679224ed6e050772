import type { iam as api } from '@holdfast/aws-protocol';
import type { RequestContext } from '@holdfast/contracts';
import { rootArn } from '../domain/arns.ts';
import { newId } from '../domain/ids.ts';
import type { ActionsOf } from './action.ts';
import type { Iam, IdentityRow } from './ports.ts';
import { boundaryShape, change, checkPolicyArn, existingRow, page, tagsOf, tagsShape, userNameOf } from './support.ts';

/** As lists show it: without tags and boundary. */
export const listedUser = ({ path, name, id, arn, createdAt }: IdentityRow): api.User => ({
  ...{ Path: path, UserName: name, UserId: id, Arn: arn, CreateDate: createdAt },
});

const userShape = (row: IdentityRow): api.User => ({
  ...listedUser(row),
  ...boundaryShape(row.permissionsBoundary),
  ...tagsShape(row.tags),
});

/** When the account's root user was made is not known: accounts are not made here. */
const ROOT_USER_SINCE = '2026-01-01T00:00:00.000Z';

const rootUser = ({ accountId }: RequestContext): api.User => ({
  ...{ Path: '/', UserName: accountId, UserId: accountId, Arn: rootArn(accountId), CreateDate: ROOT_USER_SINCE },
});

const getUser = async (iam: Iam, { UserName }: api.GetUserRequest, context: RequestContext) => {
  if (UserName === undefined && context.principal.type === 'Root') return { User: rootUser(context) };
  return { User: userShape(await existingRow(iam, context, 'user', await userNameOf(iam, UserName, context))) };
};

export const users: ActionsOf<
  api.Operations,
  | 'CreateUser'
  | 'GetUser'
  | 'ListUsers'
  | 'UpdateUser'
  | 'DeleteUser'
  | 'PutUserPermissionsBoundary'
  | 'DeleteUserPermissionsBoundary'
> = {
  CreateUser: async (iam, { UserName: name, Path: path = '/', PermissionsBoundary, Tags }, context) => {
    const boundary = PermissionsBoundary === undefined ? null : checkPolicyArn(PermissionsBoundary);
    await change(iam, context, {
      ...{ type: 'CreateUser', userId: newId('user'), name, path, tags: tagsOf(Tags), boundary },
    });
    return { User: userShape(await existingRow(iam, context, 'user', name)) };
  },
  GetUser: getUser,
  ListUsers: async (iam, { PathPrefix: pathPrefix = '/', ...request }, context) => {
    const read = (after: string, limit: number) =>
      iam.tables.identities(context.accountId, 'user', { after, limit, pathPrefix });
    const { rows, end } = await page(iam, context, ['users', pathPrefix], request, read, (row) => row.lowerName);
    return { Users: rows.map(listedUser), ...end };
  },
  UpdateUser: (iam, { UserName: name, NewUserName: newName, NewPath: newPath }, context) =>
    change(iam, context, { type: 'UpdateUser', name, newName, newPath }),
  DeleteUser: (iam, { UserName: name }, context) => change(iam, context, { type: 'DeleteUser', name }),
  PutUserPermissionsBoundary: (iam, { UserName: name, PermissionsBoundary }, context) =>
    change(iam, context, {
      ...{ type: 'PutPermissionsBoundary', entity: { kind: 'user', name } },
      policyArn: checkPolicyArn(PermissionsBoundary),
    }),
  DeleteUserPermissionsBoundary: (iam, { UserName: name }, context) =>
    change(iam, context, { type: 'DeletePermissionsBoundary', entity: { kind: 'user', name } }),
};
