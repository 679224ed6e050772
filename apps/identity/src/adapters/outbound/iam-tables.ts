import type { AccountId } from '@holdfast/contracts';
import type { Sql } from '@holdfast/event-store';
import type {
  AccessKeyRow,
  ActiveAccessKey,
  IamTables,
  IdentityRow,
  InlinePolicyRow,
  ManagedPolicyRow,
  PartOfList,
  PolicyVersionRow,
  SessionRow,
} from '../../application/ports.ts';
import type { EntityKind } from '../../domain/iam.events.ts';
import type { NamedKind } from '../../domain/iam.state.ts';

const IDENTITY = `i.identity_id AS id, i.account_id AS "accountId", i.kind, i.name, i.lower_name AS "lowerName", i.path,
  i.arn, i.tags, i.permissions_boundary AS "permissionsBoundary", i.description, i.trust_policy AS "trustPolicy",
  i.principal_ids AS "principalIds", i.max_session_seconds AS "maxSessionSeconds", i.created_at AS "createdAt"`;

const POLICY = `p.arn, p.policy_id AS "policyId", p.name, p.lower_name AS "lowerName", p.path, p.description,
  p.default_version AS "defaultVersion", p.tags, p.created_at AS "createdAt", p.updated_at AS "updatedAt",
  (SELECT count(*)::int FROM attached_policies a WHERE a.arn = p.arn) AS attachments,
  (SELECT count(*)::int FROM identities b WHERE b.account_id = p.account_id AND b.permissions_boundary = p.arn)
    AS boundaries`;

export class PostgresIamTables implements IamTables {
  constructor(private readonly sql: Sql) {}

  async accountVersion(accountId: string): Promise<string> {
    const text = 'SELECT version FROM account_versions WHERE account_id = $1';
    return (await this.one<{ version: string }>(text, [accountId]))?.version ?? 'none';
  }

  async accountAlias(accountId: string): Promise<string | null> {
    const text = 'SELECT alias FROM account_aliases WHERE account_id = $1';
    return (await this.one<{ alias: string }>(text, [accountId]))?.alias ?? null;
  }

  async accountOfAlias(alias: string): Promise<string | null> {
    const text = 'SELECT account_id AS "accountId" FROM account_aliases WHERE alias = $1';
    return (await this.one<{ accountId: string }>(text, [alias]))?.accountId ?? null;
  }

  accessKeyUser(accessKeyId: string): Promise<{ accountId: string; userName: string } | null> {
    return this.one(
      `SELECT k.account_id AS "accountId", i.name AS "userName" FROM access_keys k
       JOIN identities i ON i.identity_id = k.user_id WHERE k.access_key_id = $1`,
      [accessKeyId],
    );
  }

  identity(accountId: string, kind: NamedKind, name: string): Promise<IdentityRow | null> {
    return this.one(`SELECT ${IDENTITY} FROM identities i WHERE account_id = $1 AND kind = $2 AND lower_name = $3`, [
      ...[accountId, kind, name.toLowerCase()],
    ]);
  }

  identityById(id: string): Promise<IdentityRow | null> {
    return this.one(`SELECT ${IDENTITY} FROM identities i WHERE identity_id = $1`, [id]);
  }

  identitiesByArn(arns: readonly string[]): Promise<IdentityRow[]> {
    return this.sql.query(`SELECT ${IDENTITY} FROM identities i WHERE arn = ANY($1::text[])`, [arns]);
  }

  identities(accountId: string, kind: NamedKind, { after, limit, pathPrefix }: PartOfList): Promise<IdentityRow[]> {
    return this.sql.query(
      `SELECT ${IDENTITY} FROM identities i
       WHERE account_id = $1 AND kind = $2 AND lower_name > $3 AND starts_with(path, $4)
       ORDER BY lower_name LIMIT $5`,
      [accountId, kind, after, pathPrefix, limit],
    );
  }

  async counts(accountId: string): Promise<Partial<Record<NamedKind | 'policy' | 'policy-version', number>>> {
    const rows = await this.sql.query<{ kind: NamedKind | 'policy' | 'policy-version'; count: number }>(
      `SELECT kind, count(*)::int AS count FROM identities WHERE account_id = $1 GROUP BY kind
       UNION ALL SELECT 'policy', count(*)::int FROM managed_policies WHERE account_id = $1
       UNION ALL SELECT 'policy-version', count(*)::int FROM policy_versions v JOIN managed_policies p USING (arn)
         WHERE p.account_id = $1`,
      [accountId],
    );
    return Object.fromEntries(rows.map(({ kind, count }) => [kind, count]));
  }

  groupsOf(userId: string): Promise<IdentityRow[]> {
    return this.sql.query(
      `SELECT ${IDENTITY} FROM group_members m JOIN identities i ON i.identity_id = m.group_id
       WHERE m.user_id = $1 ORDER BY i.lower_name`,
      [userId],
    );
  }

  membersOf(groupId: string): Promise<IdentityRow[]> {
    return this.sql.query(
      `SELECT ${IDENTITY} FROM group_members m JOIN identities i ON i.identity_id = m.user_id
       WHERE m.group_id = $1 ORDER BY i.lower_name`,
      [groupId],
    );
  }

  roleOfProfiles(ids: readonly string[]): Promise<(IdentityRow & { instanceProfileId: string })[]> {
    return this.sql.query(
      `SELECT ${IDENTITY}, m.instance_profile_id AS "instanceProfileId"
       FROM instance_profile_roles m JOIN identities i ON i.identity_id = m.role_id
       WHERE m.instance_profile_id = ANY($1::text[])`,
      [ids],
    );
  }

  profilesOf(roleId: string): Promise<IdentityRow[]> {
    return this.sql.query(
      `SELECT ${IDENTITY} FROM instance_profile_roles m JOIN identities i ON i.identity_id = m.instance_profile_id
       WHERE m.role_id = $1 ORDER BY i.lower_name`,
      [roleId],
    );
  }

  inlinePolicies(identityIds: readonly string[]): Promise<(InlinePolicyRow & { identityId: string })[]> {
    return this.sql.query(
      `SELECT identity_id AS "identityId", policy_name AS "policyName", document FROM inline_policies
       WHERE identity_id = ANY($1::text[]) ORDER BY policy_name`,
      [identityIds],
    );
  }

  attachedPolicies(identityIds: readonly string[]): Promise<{ identityId: string; arn: string }[]> {
    return this.sql.query(
      `SELECT identity_id AS "identityId", arn FROM attached_policies WHERE identity_id = ANY($1::text[]) ORDER BY arn`,
      [identityIds],
    );
  }

  entitiesWith(accountId: string, arn: string) {
    return this.sql.query<{ id: string; name: string; path: string; kind: EntityKind; isBoundary: boolean }>(
      `SELECT i.identity_id AS id, i.name, i.path, i.kind, false AS "isBoundary"
       FROM attached_policies a JOIN identities i USING (identity_id) WHERE a.arn = $2 AND a.account_id = $1
       UNION ALL
       SELECT identity_id, name, path, kind, true FROM identities WHERE account_id = $1 AND permissions_boundary = $2
       ORDER BY 4, 2`,
      [accountId, arn],
    );
  }

  policies(
    accountId: string,
    { after, limit, pathPrefix, onlyAttached }: PartOfList & { onlyAttached: boolean },
  ): Promise<ManagedPolicyRow[]> {
    return this.sql.query(
      `SELECT ${POLICY} FROM managed_policies p
       WHERE account_id = $1 AND lower_name > $2 AND starts_with(path, $3)
         AND (NOT $4 OR EXISTS (SELECT FROM attached_policies a WHERE a.arn = p.arn))
       ORDER BY lower_name LIMIT $5`,
      [accountId, after, pathPrefix, onlyAttached, limit],
    );
  }

  policy(arn: string): Promise<ManagedPolicyRow | null> {
    return this.one(`SELECT ${POLICY} FROM managed_policies p WHERE arn = $1`, [arn]);
  }

  versions(arn: string): Promise<PolicyVersionRow[]> {
    return this.sql.query(
      `SELECT version_id AS "versionId", document, created_at AS "createdAt" FROM policy_versions
       WHERE arn = $1 ORDER BY substr(version_id, 2)::int DESC`,
      [arn],
    );
  }

  async defaultDocuments(arns: readonly string[]): Promise<Map<string, string>> {
    const rows = await this.sql.query<{ arn: string; document: string }>(
      `SELECT p.arn, v.document FROM managed_policies p
       JOIN policy_versions v ON v.arn = p.arn AND v.version_id = p.default_version WHERE p.arn = ANY($1::text[])`,
      [arns],
    );
    return new Map(rows.map(({ arn, document }) => [arn, document]));
  }

  async usesOf(accountId: string, arns: readonly string[]) {
    const rows = await this.sql.query<{ arn: string; attachments: number; boundaries: number }>(
      `SELECT arn,
         (SELECT count(*)::int FROM attached_policies a WHERE a.account_id = $1 AND a.arn = u.arn) AS attachments,
         (SELECT count(*)::int FROM identities i WHERE i.account_id = $1 AND i.permissions_boundary = u.arn) AS boundaries
       FROM unnest($2::text[]) AS u (arn)`,
      [accountId, arns],
    );
    return new Map(rows.map(({ arn, ...uses }) => [arn, uses]));
  }

  accessKeys(userId: string): Promise<AccessKeyRow[]> {
    return this.sql.query(
      `SELECT access_key_id AS "accessKeyId", is_active AS "isActive", created_at AS "createdAt" FROM access_keys
       WHERE user_id = $1 ORDER BY created_at, access_key_id`,
      [userId],
    );
  }

  activeAccessKey(accessKeyId: string): Promise<ActiveAccessKey | null> {
    return this.one(
      `SELECT k.account_id AS "accountId", k.user_id AS "userId", i.name AS "userName", i.arn AS "userArn", s.wrapped
       FROM access_keys k JOIN identities i ON i.identity_id = k.user_id
       JOIN access_key_secrets s ON s.access_key_id = k.access_key_id
       WHERE k.access_key_id = $1 AND k.is_active`,
      [accessKeyId],
    );
  }

  async accessKeyOwner(accessKeyId: string): Promise<AccountId | null> {
    const row = await this.one<{ accountId: AccountId }>(
      `SELECT account_id AS "accountId" FROM access_keys WHERE access_key_id = $1
       UNION ALL SELECT account_id FROM sessions WHERE access_key_id = $1`,
      [accessKeyId],
    );
    return row?.accountId ?? null;
  }

  session(accessKeyId: string): Promise<SessionRow | null> {
    return this.one(
      `SELECT access_key_id AS "accessKeyId", account_id AS "accountId", identity_id AS "identityId", principal,
         secrets_key_id AS "secretsKeyId", session_policies AS "sessionPolicies",
         transitive_tag_keys AS "transitiveTagKeys", expires_at AS "expiresAt"
       FROM sessions s WHERE access_key_id = $1
         AND (identity_id IS NULL OR EXISTS (SELECT FROM identities i WHERE i.identity_id = s.identity_id))`,
      [accessKeyId],
    );
  }

  private async one<Row>(text: string, values: readonly unknown[]): Promise<Row | null> {
    const [row] = await this.sql.query<Row>(text, values);
    return row ?? null;
  }
}
