import type { AccountId, Instant } from '@holdfast/contracts';
import type { EntityKind, PrincipalIds, TaggedKind, Tags } from './iam.events.ts';

interface Addressed {
  accountId: AccountId;
  at: Instant;
}

/** An entity by its name, as requests say it. */
export interface EntityName {
  kind: EntityKind;
  name: string;
}

/** Ids are made by the caller; documents have been checked. Optional members that are absent change nothing. */
export type IamCommand = Addressed &
  (
    | { type: 'CreateUser'; userId: string; name: string; path: string; tags: Tags; boundary: string | null }
    | { type: 'UpdateUser'; name: string; newName?: string; newPath?: string }
    | { type: 'DeleteUser'; name: string }
    | { type: 'CreateGroup'; groupId: string; name: string; path: string }
    | { type: 'UpdateGroup'; name: string; newName?: string; newPath?: string }
    | { type: 'DeleteGroup'; name: string }
    | { type: 'AddUserToGroup'; userName: string; groupName: string }
    | { type: 'RemoveUserFromGroup'; userName: string; groupName: string }
    | {
        type: 'CreateRole';
        roleId: string;
        name: string;
        path: string;
        document: string;
        principalIds: PrincipalIds;
        description: string | null;
        maxSessionDurationSeconds: number;
        tags: Tags;
        boundary: string | null;
      }
    | { type: 'UpdateRole'; name: string; description?: string; maxSessionDurationSeconds?: number }
    | { type: 'UpdateAssumeRolePolicy'; name: string; document: string; principalIds: PrincipalIds }
    /** `byService`: of a service-linked one, which nothing else deletes. */
    | { type: 'DeleteRole'; name: string; byService?: true }
    | {
        type: 'CreatePolicy';
        policyId: string;
        policyArn: string;
        name: string;
        path: string;
        description: string | null;
        document: string;
        tags: Tags;
      }
    | { type: 'CreatePolicyVersion'; policyArn: string; document: string; setAsDefault: boolean }
    | { type: 'SetDefaultPolicyVersion'; policyArn: string; versionId: string }
    | { type: 'DeletePolicyVersion'; policyArn: string; versionId: string }
    | { type: 'DeletePolicy'; policyArn: string }
    | { type: 'PutInlinePolicy'; entity: EntityName; policyName: string; document: string }
    | { type: 'DeleteInlinePolicy'; entity: EntityName; policyName: string }
    | { type: 'AttachPolicy'; entity: EntityName; policyArn: string }
    | { type: 'DetachPolicy'; entity: EntityName; policyArn: string }
    | { type: 'PutPermissionsBoundary'; entity: EntityName; policyArn: string }
    | { type: 'DeletePermissionsBoundary'; entity: EntityName }
    /** `name` of a policy is its ARN. */
    | { type: 'Tag'; kind: TaggedKind; name: string; tags: Tags }
    | { type: 'Untag'; kind: TaggedKind; name: string; keys: readonly string[] }
    | { type: 'CreateAccessKey'; userName: string; accessKeyId: string }
    | { type: 'UpdateAccessKey'; userName: string; accessKeyId: string; isActive: boolean }
    | { type: 'DeleteAccessKey'; userName: string; accessKeyId: string }
    | { type: 'CreateInstanceProfile'; instanceProfileId: string; name: string; path: string; tags: Tags }
    | { type: 'DeleteInstanceProfile'; name: string }
    | { type: 'AddRoleToInstanceProfile'; name: string; roleName: string }
    | { type: 'RemoveRoleFromInstanceProfile'; name: string; roleName: string }
    | { type: 'CreateAccountAlias'; alias: string }
    | { type: 'DeleteAccountAlias'; alias: string }
  );

export type CommandOf<Type extends IamCommand['type']> = Extract<IamCommand, { type: Type }>;
