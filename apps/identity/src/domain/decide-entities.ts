import {
  changeable,
  checkAttachable,
  checkNameIsFree,
  checkNothingLeft,
  checkQuota,
  type Decisions,
  existing,
  factOf,
  mergedTags,
} from './decide-support.ts';
import { refuse } from './errors.ts';
import type { Entity, IamState } from './iam.state.ts';
import { QUOTAS, sizeOf } from './quotas.ts';

const DETACH = 'Cannot delete entity, must detach all policies first.';
const DELETE_POLICIES = 'Cannot delete entity, must delete policies first.';

/** @throws DomainError EntityAlreadyExists unless the name is free, or the entity's own in another case. */
const checkRename = (state: IamState, entity: Entity, newName: string | undefined): void => {
  if (newName === undefined || newName.toLowerCase() === entity.name.toLowerCase()) return;
  checkNameIsFree(state, entity.kind, newName);
};

/** Name and path after an update; null when they are what they were. */
const moved = (entity: Entity, { newName, newPath }: { newName?: string; newPath?: string }) => {
  const [name, path] = [newName ?? entity.name, newPath ?? entity.path];
  return name === entity.name && path === entity.path ? null : { name, path };
};

export const decideUsers: Decisions<'CreateUser' | 'UpdateUser' | 'DeleteUser'> = {
  CreateUser: (command, state) => {
    const { userId, name, path, boundary } = command;
    checkNameIsFree(state, 'user', name);
    checkQuota(state.counts.user, 'UsersPerAccount');
    checkAttachable(state, boundary);
    const tags = mergedTags({}, command.tags);
    return [
      { type: 'UserCreated', userId, userName: name, path, tags, permissionsBoundary: boundary, ...factOf(command) },
    ];
  },
  UpdateUser: (command, state) => {
    const user = existing(state, 'user', command.name);
    checkRename(state, user, command.newName);
    const now = moved(user, command);
    if (now === null) return [];
    return [{ type: 'UserUpdated', userId: user.id, userName: now.name, path: now.path, ...factOf(command) }];
  },
  DeleteUser: (command, state) => {
    const { id: userId, name: userName, accessKeys, related, attached, inline } = existing(state, 'user', command.name);
    checkNothingLeft([
      [accessKeys.length > 0, 'Cannot delete entity, must delete access keys first.'],
      [related.length > 0, 'Cannot delete entity, must remove users from group first.'],
      [attached.length > 0, DETACH],
      [Object.keys(inline).length > 0, DELETE_POLICIES],
    ]);
    return [{ type: 'UserDeleted', userId, userName, ...factOf(command) }];
  },
};

export const decideGroups: Decisions<
  'CreateGroup' | 'UpdateGroup' | 'DeleteGroup' | 'AddUserToGroup' | 'RemoveUserFromGroup'
> = {
  CreateGroup: (command, state) => {
    const { groupId, name, path } = command;
    checkNameIsFree(state, 'group', name);
    checkQuota(state.counts.group, 'GroupsPerAccount');
    return [{ type: 'GroupCreated', groupId, groupName: name, path, ...factOf(command) }];
  },
  UpdateGroup: (command, state) => {
    const group = existing(state, 'group', command.name);
    checkRename(state, group, command.newName);
    const now = moved(group, command);
    if (now === null) return [];
    return [{ type: 'GroupUpdated', groupId: group.id, groupName: now.name, path: now.path, ...factOf(command) }];
  },
  DeleteGroup: (command, state) => {
    const { id: groupId, name: groupName, related, attached, inline } = existing(state, 'group', command.name);
    checkNothingLeft([
      [related.length > 0, 'Cannot delete entity, must remove users from group first.'],
      [attached.length > 0, DETACH],
      [Object.keys(inline).length > 0, DELETE_POLICIES],
    ]);
    return [{ type: 'GroupDeleted', groupId, groupName, ...factOf(command) }];
  },
  AddUserToGroup: (command, state) => {
    const group = existing(state, 'group', command.groupName);
    const user = existing(state, 'user', command.userName);
    if (user.related.includes(group.id)) return [];
    checkQuota(user.related.length, 'GroupsPerUser');
    return [{ type: 'UserAddedToGroup', userId: user.id, groupId: group.id, ...factOf(command) }];
  },
  RemoveUserFromGroup: (command, state) => {
    const { userName, groupName } = command;
    const group = existing(state, 'group', groupName);
    const user = existing(state, 'user', userName);
    if (!user.related.includes(group.id)) return refuse('NotInGroup', { userName, groupName });
    return [{ type: 'UserRemovedFromGroup', userId: user.id, groupId: group.id, ...factOf(command) }];
  },
};

const checkTrustPolicySize = (document: string): void => {
  if (sizeOf(document) > QUOTAS.ACLSizePerRole) {
    refuse('QuotaExceeded', { quota: 'ACLSizePerRole', limit: QUOTAS.ACLSizePerRole });
  }
};

export const decideRoles: Decisions<'CreateRole' | 'UpdateRole' | 'UpdateAssumeRolePolicy' | 'DeleteRole'> = {
  CreateRole: (command, state) => {
    const { roleId, name, path, document, principalIds, description, maxSessionDurationSeconds, boundary } = command;
    checkNameIsFree(state, 'role', name);
    checkQuota(state.counts.role, 'RolesPerAccount');
    checkTrustPolicySize(document);
    checkAttachable(state, boundary);
    const terms = { assumeRolePolicyDocument: document, principalIds, description, maxSessionDurationSeconds };
    const tags = mergedTags({}, command.tags);
    return [
      {
        ...{ type: 'RoleCreated', roleId, roleName: name, path, ...terms, tags, permissionsBoundary: boundary },
        ...factOf(command),
      },
    ];
  },
  UpdateRole: (command, state) => {
    const role = existing(state, 'role', command.name);
    const description = command.description ?? role.description;
    const maxSessionDurationSeconds = command.maxSessionDurationSeconds ?? role.maxSessionDurationSeconds;
    const isSame = description === role.description && maxSessionDurationSeconds === role.maxSessionDurationSeconds;
    if (isSame) return [];
    return [{ type: 'RoleUpdated', roleId: role.id, description, maxSessionDurationSeconds, ...factOf(command) }];
  },
  UpdateAssumeRolePolicy: (command, state) => {
    const { id: roleId } = changeable(state, 'role', command.name);
    const { document, principalIds } = command;
    checkTrustPolicySize(document);
    return [
      {
        ...{ type: 'AssumeRolePolicyUpdated', roleId, assumeRolePolicyDocument: document, principalIds },
        ...factOf(command),
      },
    ];
  },
  DeleteRole: (command, state) => {
    const role = (command.byService === true ? existing : changeable)(state, 'role', command.name);
    const { id: roleId, name: roleName, related, attached, inline } = role;
    checkNothingLeft([
      [related.length > 0, 'Cannot delete entity, must remove roles from instance profile first.'],
      [attached.length > 0, DETACH],
      [Object.keys(inline).length > 0, DELETE_POLICIES],
    ]);
    return [{ type: 'RoleDeleted', roleId, roleName, ...factOf(command) }];
  },
};

export const decideInstanceProfiles: Decisions<
  'CreateInstanceProfile' | 'DeleteInstanceProfile' | 'AddRoleToInstanceProfile' | 'RemoveRoleFromInstanceProfile'
> = {
  CreateInstanceProfile: (command, state) => {
    const { instanceProfileId, name, path } = command;
    checkNameIsFree(state, 'instance-profile', name);
    checkQuota(state.counts['instance-profile'], 'InstanceProfilesPerAccount');
    const tags = mergedTags({}, command.tags);
    return [
      { type: 'InstanceProfileCreated', instanceProfileId, instanceProfileName: name, path, tags, ...factOf(command) },
    ];
  },
  DeleteInstanceProfile: (command, state) => {
    const { id, name, related } = existing(state, 'instance-profile', command.name);
    checkNothingLeft([[related.length > 0, 'Cannot delete entity, must remove roles from instance profile first.']]);
    return [{ type: 'InstanceProfileDeleted', instanceProfileId: id, instanceProfileName: name, ...factOf(command) }];
  },
  AddRoleToInstanceProfile: (command, state) => {
    const { id: instanceProfileId, related } = existing(state, 'instance-profile', command.name);
    const { id: roleId } = existing(state, 'role', command.roleName);
    checkQuota(related.length, 'InstanceSessionsPerInstanceProfile');
    return [{ type: 'RoleAddedToInstanceProfile', instanceProfileId, roleId, ...factOf(command) }];
  },
  RemoveRoleFromInstanceProfile: (command, state) => {
    const { id: instanceProfileId, related, name } = existing(state, 'instance-profile', command.name);
    const { id: roleId, name: roleName } = existing(state, 'role', command.roleName);
    if (!related.includes(roleId)) return refuse('RoleNotInProfile', { roleName, instanceProfileName: name });
    return [{ type: 'RoleRemovedFromInstanceProfile', instanceProfileId, roleId, ...factOf(command) }];
  },
};

export const decideAccountAliases: Decisions<'CreateAccountAlias' | 'DeleteAccountAlias'> = {
  CreateAccountAlias: (command, state) =>
    state.alias === command.alias ? [] : [{ type: 'AccountAliasCreated', alias: command.alias, ...factOf(command) }],
  DeleteAccountAlias: (command, state) => {
    const { alias } = command;
    if (state.alias !== alias) return refuse('AccountAliasNotFound', { alias });
    return [{ type: 'AccountAliasDeleted', alias, ...factOf(command) }];
  },
};
