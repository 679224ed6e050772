import {
  changeable,
  checkAttachable,
  checkNothingLeft,
  checkQuota,
  type Decisions,
  existing,
  factOf,
  haveSameTags,
  mergedTags,
  ownPolicy,
} from './decide-support.ts';
import { refuse } from './errors.ts';
import type { CommandOf } from './iam.commands.ts';
import type { Tags } from './iam.events.ts';
import type { IamState } from './iam.state.ts';
import { INLINE_POLICIES_CHARACTERS, MAX_POLICY_VERSIONS, QUOTAS, sizeOf } from './quotas.ts';

const ATTACHED_QUOTA = {
  user: 'PoliciesPerUser',
  group: 'PoliciesPerGroup',
  role: 'PoliciesPerRole',
} as const;

const checkPolicySize = (document: string): void => {
  if (sizeOf(document) > QUOTAS.PolicySize) refuse('QuotaExceeded', { quota: 'PolicySize', limit: QUOTAS.PolicySize });
};

export const decideManagedPolicies: Decisions<
  'CreatePolicy' | 'CreatePolicyVersion' | 'SetDefaultPolicyVersion' | 'DeletePolicyVersion' | 'DeletePolicy'
> = {
  CreatePolicy: (command, state) => {
    const { policyId, policyArn, name, path, description, document } = command;
    if (state.policyNames.has(name.toLowerCase())) return refuse('PolicyAlreadyExists', { name });
    checkQuota(state.policies.size, 'PoliciesPerAccount');
    checkPolicySize(document);
    const tags = mergedTags({}, command.tags);
    const identity = { policyId, policyArn, policyName: name, path };
    return [{ type: 'PolicyCreated', ...identity, description, document, tags, ...factOf(command) }];
  },
  CreatePolicyVersion: (command, state) => {
    const { policyArn, document, setAsDefault } = command;
    const { versions, lastVersion } = ownPolicy(state, policyArn);
    if (versions.length >= MAX_POLICY_VERSIONS) return refuse('TooManyPolicyVersions', {});
    checkPolicySize(document);
    const versionId = `v${String(lastVersion + 1)}`;
    return [
      { type: 'PolicyVersionCreated', policyArn, versionId, document, isDefault: setAsDefault, ...factOf(command) },
    ];
  },
  SetDefaultPolicyVersion: (command, state) => {
    const { policyArn, versionId } = command;
    const { versions, defaultVersion } = ownPolicy(state, policyArn);
    if (!versions.includes(versionId)) return refuse('PolicyVersionNotFound', { arn: policyArn, versionId });
    if (versionId === defaultVersion) return [];
    return [{ type: 'DefaultPolicyVersionSet', policyArn, versionId, ...factOf(command) }];
  },
  DeletePolicyVersion: (command, state) => {
    const { policyArn, versionId } = command;
    const { versions, defaultVersion } = ownPolicy(state, policyArn);
    if (!versions.includes(versionId)) return refuse('PolicyVersionNotFound', { arn: policyArn, versionId });
    if (versionId === defaultVersion) return refuse('DefaultVersionNotDeletable', {});
    return [{ type: 'PolicyVersionDeleted', policyArn, versionId, ...factOf(command) }];
  },
  DeletePolicy: (command, state) => {
    const { versions, attachments, boundaries } = ownPolicy(state, command.policyArn);
    checkNothingLeft([
      [attachments + boundaries > 0, 'Cannot delete a policy attached to entities.'],
      [
        versions.length > 1,
        "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. " +
          'The default version is deleted with the policy.',
      ],
    ]);
    return [{ type: 'PolicyDeleted', policyArn: command.policyArn, ...factOf(command) }];
  },
};

export const decideEntityPolicies: Decisions<
  | 'PutInlinePolicy'
  | 'DeleteInlinePolicy'
  | 'AttachPolicy'
  | 'DetachPolicy'
  | 'PutPermissionsBoundary'
  | 'DeletePermissionsBoundary'
> = {
  PutInlinePolicy: (command, state) => {
    const { policyName, document } = command;
    const { kind, name } = command.entity;
    const { id: entityId, inline } = changeable(state, kind, name);
    const sizeCharacters = sizeOf(document);
    const others = Object.entries(inline).filter(([other]) => other !== policyName);
    const total = others.reduce((sum, [, size]) => sum + size, sizeCharacters);
    const limit = INLINE_POLICIES_CHARACTERS[kind];
    if (total > limit) return refuse('InlinePoliciesTooLarge', { kind, name, limit });
    return [{ type: 'InlinePolicyPut', kind, entityId, policyName, document, sizeCharacters, ...factOf(command) }];
  },
  DeleteInlinePolicy: (command, state) => {
    const { policyName } = command;
    const { kind, name } = command.entity;
    const { id: entityId, inline } = changeable(state, kind, name);
    if (!Object.hasOwn(inline, policyName)) return refuse('InlinePolicyNotFound', { kind, name: policyName });
    return [{ type: 'InlinePolicyDeleted', kind, entityId, policyName, ...factOf(command) }];
  },
  AttachPolicy: (command, state) => {
    const { policyArn } = command;
    const { kind, name } = command.entity;
    const { id: entityId, attached } = changeable(state, kind, name);
    checkAttachable(state, policyArn);
    if (attached.includes(policyArn)) return [];
    checkQuota(attached.length, ATTACHED_QUOTA[kind]);
    return [{ type: 'PolicyAttached', kind, entityId, policyArn, ...factOf(command) }];
  },
  DetachPolicy: (command, state) => {
    const { policyArn } = command;
    const { kind, name } = command.entity;
    const { id: entityId, attached } = changeable(state, kind, name);
    if (!attached.includes(policyArn)) return refuse('PolicyNotAttached', { arn: policyArn });
    return [{ type: 'PolicyDetached', kind, entityId, policyArn, ...factOf(command) }];
  },
  PutPermissionsBoundary: (command, state) => {
    const { policyArn } = command;
    const { kind, name } = command.entity;
    const { id: entityId, boundary } = changeable(state, kind, name);
    checkAttachable(state, policyArn);
    if (boundary === policyArn) return [];
    return [{ type: 'PermissionsBoundaryPut', kind, entityId, policyArn, ...factOf(command) }];
  },
  DeletePermissionsBoundary: (command, state) => {
    const { kind, name } = command.entity;
    const { id: entityId, boundary } = changeable(state, kind, name);
    if (boundary === null) return refuse('BoundaryNotFound', { kind, name });
    return [{ type: 'PermissionsBoundaryDeleted', kind, entityId, ...factOf(command) }];
  },
};

const tagged = (state: IamState, { kind, name }: CommandOf<'Tag' | 'Untag'>): { id: string; tags: Tags } =>
  kind === 'policy' ? { id: name, tags: ownPolicy(state, name).tags } : existing(state, kind, name);

const retagged = (command: CommandOf<'Tag' | 'Untag'>, id: string, before: Tags, tags: Tags) =>
  haveSameTags(before, tags)
    ? []
    : [{ type: 'TagsChanged', kind: command.kind, resourceId: id, tags, ...factOf(command) } as const];

export const decideTags: Decisions<'Tag' | 'Untag'> = {
  Tag: (command, state) => {
    const { id, tags } = tagged(state, command);
    return retagged(command, id, tags, mergedTags(tags, command.tags));
  },
  Untag: (command, state) => {
    const { id, tags } = tagged(state, command);
    const removed = new Set(command.keys.map((key) => key.toLowerCase()));
    const kept = Object.entries(tags).filter(([key]) => !removed.has(key.toLowerCase()));
    return retagged(command, id, tags, Object.fromEntries(kept));
  },
};

/** The user's key. @throws DomainError EntityNotFound | AccessKeyNotFound, also when it is another user's. */
const keyOf = (state: IamState, { userName, accessKeyId }: CommandOf<'UpdateAccessKey' | 'DeleteAccessKey'>) => {
  const { id: userId } = existing(state, 'user', userName);
  const key = state.accessKeys.get(accessKeyId);
  return key?.userId === userId ? key : refuse('AccessKeyNotFound', { accessKeyId });
};

export const decideAccessKeys: Decisions<'CreateAccessKey' | 'UpdateAccessKey' | 'DeleteAccessKey'> = {
  CreateAccessKey: (command, state) => {
    const { id: userId, accessKeys } = existing(state, 'user', command.userName);
    checkQuota(accessKeys.length, 'AccessKeysPerUser');
    return [{ type: 'AccessKeyCreated', userId, accessKeyId: command.accessKeyId, ...factOf(command) }];
  },
  UpdateAccessKey: (command, state) => {
    const { userId, isActive } = keyOf(state, command);
    if (isActive === command.isActive) return [];
    const type = command.isActive ? 'AccessKeyActivated' : 'AccessKeyDeactivated';
    return [{ type, userId, accessKeyId: command.accessKeyId, ...factOf(command) }];
  },
  DeleteAccessKey: (command, state) => {
    const { userId } = keyOf(state, command);
    return [{ type: 'AccessKeyDeleted', userId, accessKeyId: command.accessKeyId, ...factOf(command) }];
  },
};
