import type { AccountId, Instant } from '@holdfast/contracts';

/** Who can have policies. */
export type EntityKind = 'user' | 'group' | 'role';
/** What has tags of its own. */
export type TaggedKind = 'user' | 'role' | 'policy' | 'instance-profile';
export type Tags = Readonly<Record<string, string>>;
/**
 * Unique ids of the users and roles that a trust policy names by ARN, as they were when it was put: whoever gets such a name
 * later is somebody else.
 */
export type PrincipalIds = Readonly<Record<string, string>>;

interface Fact {
  accountId: AccountId;
  at: Instant;
}
/** Ids outlive names: users and groups can be renamed, and a name can be given again. */
interface OfEntity extends Fact {
  kind: EntityKind;
  entityId: string;
}
interface OfUser extends Fact {
  userId: string;
}
interface OfRole extends Fact {
  roleId: string;
}
interface OfPolicy extends Fact {
  policyArn: string;
}
interface OfAccessKey extends OfUser {
  accessKeyId: string;
}
interface OfProfile extends Fact {
  instanceProfileId: string;
}
interface Membership extends OfUser {
  groupId: string;
}

/** The facts of one account's IAM; stream `iam-<accountId>`. Documents are kept as they were sent. No secret is in any. */
export type IamEvent =
  | ({ type: 'UserCreated'; userName: string; path: string; tags: Tags; permissionsBoundary: string | null } & OfUser)
  | ({ type: 'UserUpdated'; userName: string; path: string } & OfUser)
  | ({ type: 'UserDeleted'; userName: string } & OfUser)
  | ({ type: 'GroupCreated'; groupId: string; groupName: string; path: string } & Fact)
  | ({ type: 'GroupUpdated'; groupId: string; groupName: string; path: string } & Fact)
  | ({ type: 'GroupDeleted'; groupId: string; groupName: string } & Fact)
  | ({ type: 'UserAddedToGroup' } & Membership)
  | ({ type: 'UserRemovedFromGroup' } & Membership)
  | ({
      type: 'RoleCreated';
      roleName: string;
      path: string;
      assumeRolePolicyDocument: string;
      principalIds: PrincipalIds;
      description: string | null;
      maxSessionDurationSeconds: number;
      tags: Tags;
      permissionsBoundary: string | null;
    } & OfRole)
  | ({ type: 'RoleUpdated'; description: string | null; maxSessionDurationSeconds: number } & OfRole)
  | ({ type: 'AssumeRolePolicyUpdated'; assumeRolePolicyDocument: string; principalIds: PrincipalIds } & OfRole)
  | ({ type: 'RoleDeleted'; roleName: string } & OfRole)
  | ({
      type: 'PolicyCreated';
      policyId: string;
      policyName: string;
      path: string;
      description: string | null;
      document: string;
      tags: Tags;
    } & OfPolicy)
  | ({ type: 'PolicyVersionCreated'; versionId: string; document: string; isDefault: boolean } & OfPolicy)
  | ({ type: 'DefaultPolicyVersionSet'; versionId: string } & OfPolicy)
  | ({ type: 'PolicyVersionDeleted'; versionId: string } & OfPolicy)
  | ({ type: 'PolicyDeleted' } & OfPolicy)
  | ({ type: 'InlinePolicyPut'; policyName: string; document: string; sizeCharacters: number } & OfEntity)
  | ({ type: 'InlinePolicyDeleted'; policyName: string } & OfEntity)
  | ({ type: 'PolicyAttached'; policyArn: string } & OfEntity)
  | ({ type: 'PolicyDetached'; policyArn: string } & OfEntity)
  | ({ type: 'PermissionsBoundaryPut'; policyArn: string } & OfEntity)
  | ({ type: 'PermissionsBoundaryDeleted' } & OfEntity)
  /** `tags` is all of them from now on. `resourceId` of a policy is its ARN. */
  | ({ type: 'TagsChanged'; kind: TaggedKind; resourceId: string; tags: Tags } & Fact)
  | ({ type: 'AccessKeyCreated' } & OfAccessKey)
  | ({ type: 'AccessKeyActivated' } & OfAccessKey)
  | ({ type: 'AccessKeyDeactivated' } & OfAccessKey)
  | ({ type: 'AccessKeyDeleted' } & OfAccessKey)
  | ({ type: 'InstanceProfileCreated'; instanceProfileName: string; path: string; tags: Tags } & OfProfile)
  | ({ type: 'InstanceProfileDeleted'; instanceProfileName: string } & OfProfile)
  | ({ type: 'RoleAddedToInstanceProfile'; roleId: string } & OfProfile)
  | ({ type: 'RoleRemovedFromInstanceProfile'; roleId: string } & OfProfile)
  /** The account's only one from now on. */
  | ({ type: 'AccountAliasCreated'; alias: string } & Fact)
  | ({ type: 'AccountAliasDeleted'; alias: string } & Fact);
