import type { iam as api } from '@holdfast/aws-protocol';
import { newId } from '../domain/ids.ts';
import type { ActionsOf } from './action.ts';
import type { IdentityRow } from './ports.ts';
import { change, existingRow, page, pageOf } from './support.ts';
import { listedUser } from './users.ts';

const groupShape = ({ path, name, id, arn, createdAt }: IdentityRow): api.Group => ({
  ...{ Path: path, GroupName: name, GroupId: id, Arn: arn, CreateDate: createdAt },
});

export const groups: ActionsOf<
  api.Operations,
  | 'CreateGroup'
  | 'GetGroup'
  | 'ListGroups'
  | 'ListGroupsForUser'
  | 'UpdateGroup'
  | 'DeleteGroup'
  | 'AddUserToGroup'
  | 'RemoveUserFromGroup'
> = {
  CreateGroup: async (iam, { GroupName: name, Path: path = '/' }, context) => {
    await change(iam, context, { type: 'CreateGroup', groupId: newId('group'), name, path });
    return { Group: groupShape(await existingRow(iam, context, 'group', name)) };
  },
  GetGroup: async (iam, { GroupName: name, ...request }, context) => {
    const group = await existingRow(iam, context, 'group', name);
    const members = await iam.tables.membersOf(group.id);
    const { rows, end } = await pageOf(iam, context, ['group', group.id], request, members, (row) => row.lowerName);
    return { Group: groupShape(group), Users: rows.map(listedUser), ...end };
  },
  ListGroups: async (iam, { PathPrefix: pathPrefix = '/', ...request }, context) => {
    const read = (after: string, limit: number) =>
      iam.tables.identities(context.accountId, 'group', { after, limit, pathPrefix });
    const { rows, end } = await page(iam, context, ['groups', pathPrefix], request, read, (row) => row.lowerName);
    return { Groups: rows.map(groupShape), ...end };
  },
  ListGroupsForUser: async (iam, { UserName: name, ...request }, context) => {
    const user = await existingRow(iam, context, 'user', name);
    const found = await iam.tables.groupsOf(user.id);
    const { rows, end } = await pageOf(iam, context, ['groups-of', user.id], request, found, (row) => row.lowerName);
    return { Groups: rows.map(groupShape), ...end };
  },
  UpdateGroup: (iam, { GroupName: name, NewGroupName: newName, NewPath: newPath }, context) =>
    change(iam, context, { type: 'UpdateGroup', name, newName, newPath }),
  DeleteGroup: (iam, { GroupName: name }, context) => change(iam, context, { type: 'DeleteGroup', name }),
  AddUserToGroup: (iam, { GroupName: groupName, UserName: userName }, context) =>
    change(iam, context, { type: 'AddUserToGroup', userName, groupName }),
  RemoveUserFromGroup: (iam, { GroupName: groupName, UserName: userName }, context) =>
    change(iam, context, { type: 'RemoveUserFromGroup', userName, groupName }),
};
