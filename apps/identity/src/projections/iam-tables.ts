import type { InlineProjection, Sql } from '@holdfast/event-store';
import { iamArn } from '../domain/arns.ts';
import type { IamEvent, PrincipalIds, Tags } from '../domain/iam.events.ts';
import type { NamedKind } from '../domain/iam.state.ts';

type Rows = { [T in IamEvent['type']]: (event: Extract<IamEvent, { type: T }>, sql: Sql) => Promise<unknown> };

interface NewIdentity extends Pick<IamEvent, 'accountId' | 'at'> {
  id: string;
  kind: NamedKind;
  name: string;
  path: string;
  tags?: Tags;
  boundary?: string | null;
  role?: { description: string | null; document: string; principalIds: PrincipalIds; maxSessionSeconds: number };
}

const insertIdentity = (sql: Sql, { id, accountId, kind, name, path, tags, boundary, role, at }: NewIdentity) =>
  sql.query(
    `INSERT INTO identities (identity_id, account_id, kind, name, lower_name, path, arn, tags, permissions_boundary,
       description, trust_policy, principal_ids, max_session_seconds, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
    [
      ...[id, accountId, kind, name, name.toLowerCase(), path, iamArn(accountId, kind, path, name)],
      ...[JSON.stringify(tags ?? {}), boundary ?? null, role?.description ?? null, role?.document ?? null],
      ...[JSON.stringify(role?.principalIds ?? {}), role?.maxSessionSeconds ?? null, at],
    ],
  );

const moveIdentity = (
  sql: Sql,
  { id, accountId, kind, name, path }: Pick<NewIdentity, 'id' | 'accountId' | 'kind' | 'name' | 'path'>,
) =>
  sql.query('UPDATE identities SET name = $2, lower_name = $3, path = $4, arn = $5 WHERE identity_id = $1', [
    ...[id, name, name.toLowerCase(), path, iamArn(accountId, kind, path, name)],
  ]);

const deleteIdentity = (sql: Sql, id: string) => sql.query('DELETE FROM identities WHERE identity_id = $1', [id]);

const setBoundary = (sql: Sql, id: string, arn: string | null) =>
  sql.query('UPDATE identities SET permissions_boundary = $2 WHERE identity_id = $1', [id, arn]);

const insertVersion = (sql: Sql, arn: string, versionId: string, document: string, at: string) =>
  sql.query('INSERT INTO policy_versions (arn, version_id, document, created_at) VALUES ($1, $2, $3, $4)', [
    ...[arn, versionId, document, at],
  ]);

const setDefaultVersion = (sql: Sql, arn: string, versionId: string, at: string) =>
  sql.query('UPDATE managed_policies SET default_version = $2, updated_at = $3 WHERE arn = $1', [arn, versionId, at]);

const setKeyActive = (sql: Sql, accessKeyId: string, isActive: boolean) =>
  sql.query('UPDATE access_keys SET is_active = $2 WHERE access_key_id = $1', [accessKeyId, isActive]);

const usersAndGroups: Pick<
  Rows,
  | 'UserCreated'
  | 'UserUpdated'
  | 'UserDeleted'
  | 'GroupCreated'
  | 'GroupUpdated'
  | 'GroupDeleted'
  | 'UserAddedToGroup'
  | 'UserRemovedFromGroup'
> = {
  UserCreated: ({ userId: id, accountId, userName: name, path, tags, permissionsBoundary: boundary, at }, sql) =>
    insertIdentity(sql, { id, accountId, kind: 'user', name, path, tags, boundary, at }),
  UserUpdated: ({ userId: id, accountId, userName: name, path }, sql) =>
    moveIdentity(sql, { id, accountId, kind: 'user', name, path }),
  UserDeleted: ({ userId }, sql) => deleteIdentity(sql, userId),
  GroupCreated: ({ groupId: id, accountId, groupName: name, path, at }, sql) =>
    insertIdentity(sql, { id, accountId, kind: 'group', name, path, at }),
  GroupUpdated: ({ groupId: id, accountId, groupName: name, path }, sql) =>
    moveIdentity(sql, { id, accountId, kind: 'group', name, path }),
  GroupDeleted: ({ groupId }, sql) => deleteIdentity(sql, groupId),
  UserAddedToGroup: ({ groupId, userId }, sql) =>
    sql.query('INSERT INTO group_members (group_id, user_id) VALUES ($1, $2)', [groupId, userId]),
  UserRemovedFromGroup: ({ groupId, userId }, sql) =>
    sql.query('DELETE FROM group_members WHERE group_id = $1 AND user_id = $2', [groupId, userId]),
};

const rolesAndProfiles: Pick<
  Rows,
  | 'RoleCreated'
  | 'RoleUpdated'
  | 'AssumeRolePolicyUpdated'
  | 'RoleDeleted'
  | 'InstanceProfileCreated'
  | 'InstanceProfileDeleted'
  | 'RoleAddedToInstanceProfile'
  | 'RoleRemovedFromInstanceProfile'
> = {
  RoleCreated: (
    { roleId: id, accountId, roleName: name, path, tags, permissionsBoundary: boundary, at, ...role },
    sql,
  ) =>
    insertIdentity(sql, {
      ...{ id, accountId, kind: 'role', name, path, tags, boundary, at },
      role: {
        description: role.description,
        document: role.assumeRolePolicyDocument,
        principalIds: role.principalIds,
        maxSessionSeconds: role.maxSessionDurationSeconds,
      },
    }),
  RoleUpdated: ({ roleId, description, maxSessionDurationSeconds }, sql) =>
    sql.query('UPDATE identities SET description = $2, max_session_seconds = $3 WHERE identity_id = $1', [
      ...[roleId, description, maxSessionDurationSeconds],
    ]),
  AssumeRolePolicyUpdated: ({ roleId, assumeRolePolicyDocument, principalIds }, sql) =>
    sql.query('UPDATE identities SET trust_policy = $2, principal_ids = $3 WHERE identity_id = $1', [
      ...[roleId, assumeRolePolicyDocument, JSON.stringify(principalIds)],
    ]),
  RoleDeleted: ({ roleId }, sql) => deleteIdentity(sql, roleId),
  InstanceProfileCreated: ({ instanceProfileId: id, instanceProfileName: name, accountId, path, tags, at }, sql) =>
    insertIdentity(sql, { id, accountId, kind: 'instance-profile', name, path, tags, at }),
  InstanceProfileDeleted: ({ instanceProfileId }, sql) => deleteIdentity(sql, instanceProfileId),
  RoleAddedToInstanceProfile: ({ instanceProfileId, roleId }, sql) =>
    sql.query('INSERT INTO instance_profile_roles (instance_profile_id, role_id) VALUES ($1, $2)', [
      ...[instanceProfileId, roleId],
    ]),
  RoleRemovedFromInstanceProfile: ({ instanceProfileId, roleId }, sql) =>
    sql.query('DELETE FROM instance_profile_roles WHERE instance_profile_id = $1 AND role_id = $2', [
      ...[instanceProfileId, roleId],
    ]),
};

const policies: Pick<
  Rows,
  | 'PolicyCreated'
  | 'PolicyVersionCreated'
  | 'DefaultPolicyVersionSet'
  | 'PolicyVersionDeleted'
  | 'PolicyDeleted'
  | 'InlinePolicyPut'
  | 'InlinePolicyDeleted'
  | 'PolicyAttached'
  | 'PolicyDetached'
  | 'PermissionsBoundaryPut'
  | 'PermissionsBoundaryDeleted'
> = {
  PolicyCreated: async ({ policyArn, policyId, accountId, policyName, path, description, document, tags, at }, sql) => {
    await sql.query(
      `INSERT INTO managed_policies (arn, policy_id, account_id, name, lower_name, path, description, default_version,
         tags, created_at, updated_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, 'v1', $8, $9, $9)`,
      [
        ...[policyArn, policyId, accountId, policyName, policyName.toLowerCase(), path, description],
        ...[JSON.stringify(tags), at],
      ],
    );
    await insertVersion(sql, policyArn, 'v1', document, at);
  },
  PolicyVersionCreated: async ({ policyArn, versionId, document, isDefault, at }, sql) => {
    await insertVersion(sql, policyArn, versionId, document, at);
    if (isDefault) await setDefaultVersion(sql, policyArn, versionId, at);
  },
  DefaultPolicyVersionSet: ({ policyArn, versionId, at }, sql) => setDefaultVersion(sql, policyArn, versionId, at),
  PolicyVersionDeleted: ({ policyArn, versionId }, sql) =>
    sql.query('DELETE FROM policy_versions WHERE arn = $1 AND version_id = $2', [policyArn, versionId]),
  PolicyDeleted: async ({ policyArn }, sql) => {
    await sql.query('DELETE FROM policy_versions WHERE arn = $1', [policyArn]);
    await sql.query('DELETE FROM managed_policies WHERE arn = $1', [policyArn]);
  },
  InlinePolicyPut: ({ entityId, policyName, document }, sql) =>
    sql.query(
      `INSERT INTO inline_policies (identity_id, policy_name, document) VALUES ($1, $2, $3)
       ON CONFLICT (identity_id, policy_name) DO UPDATE SET document = excluded.document`,
      [entityId, policyName, document],
    ),
  InlinePolicyDeleted: ({ entityId, policyName }, sql) =>
    sql.query('DELETE FROM inline_policies WHERE identity_id = $1 AND policy_name = $2', [entityId, policyName]),
  PolicyAttached: ({ entityId, policyArn, accountId }, sql) =>
    sql.query('INSERT INTO attached_policies (identity_id, arn, account_id) VALUES ($1, $2, $3)', [
      ...[entityId, policyArn, accountId],
    ]),
  PolicyDetached: ({ entityId, policyArn }, sql) =>
    sql.query('DELETE FROM attached_policies WHERE identity_id = $1 AND arn = $2', [entityId, policyArn]),
  PermissionsBoundaryPut: ({ entityId, policyArn }, sql) => setBoundary(sql, entityId, policyArn),
  PermissionsBoundaryDeleted: ({ entityId }, sql) => setBoundary(sql, entityId, null),
};

const rows: Rows = {
  ...usersAndGroups,
  ...rolesAndProfiles,
  ...policies,
  TagsChanged: ({ kind, resourceId, tags }, sql) =>
    kind === 'policy'
      ? sql.query('UPDATE managed_policies SET tags = $2 WHERE arn = $1', [resourceId, JSON.stringify(tags)])
      : sql.query('UPDATE identities SET tags = $2 WHERE identity_id = $1', [resourceId, JSON.stringify(tags)]),
  AccessKeyCreated: ({ accessKeyId, accountId, userId, at }, sql) =>
    sql.query(
      'INSERT INTO access_keys (access_key_id, account_id, user_id, is_active, created_at) VALUES ($1, $2, $3, true, $4)',
      [accessKeyId, accountId, userId, at],
    ),
  AccessKeyActivated: ({ accessKeyId }, sql) => setKeyActive(sql, accessKeyId, true),
  AccessKeyDeactivated: ({ accessKeyId }, sql) => setKeyActive(sql, accessKeyId, false),
  AccountAliasCreated: ({ accountId, alias }, sql) =>
    sql.query(
      `INSERT INTO account_aliases (account_id, alias) VALUES ($1, $2)
       ON CONFLICT (account_id) DO UPDATE SET alias = excluded.alias`,
      [accountId, alias],
    ),
  AccountAliasDeleted: ({ accountId }, sql) =>
    sql.query('DELETE FROM account_aliases WHERE account_id = $1', [accountId]),
  AccessKeyDeleted: async ({ accessKeyId }, sql) => {
    await sql.query('DELETE FROM access_key_uses WHERE access_key_id = $1', [accessKeyId]);
    await sql.query('DELETE FROM access_keys WHERE access_key_id = $1', [accessKeyId]);
    await sql.query('DELETE FROM access_key_secrets WHERE access_key_id = $1', [accessKeyId]);
  },
};

const isIamEvent = (event: { type: string }): event is IamEvent => Object.hasOwn(rows, event.type);

/**
 * What IAM's Get and List operations read, and the account's version: its last event's id, so that no version comes twice,
 * not even after a development reset.
 */
export const iamTables: InlineProjection = {
  name: 'iam-tables',
  project: async ({ data, eventId }, sql) => {
    if (!isIamEvent(data)) return;
    await (rows[data.type] as (event: IamEvent, sql: Sql) => Promise<unknown>)(data, sql);
    await sql.query(
      `INSERT INTO account_versions (account_id, version) VALUES ($1, $2)
       ON CONFLICT (account_id) DO UPDATE SET version = excluded.version`,
      [data.accountId, eventId],
    );
  },
};
