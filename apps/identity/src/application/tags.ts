import type { iam as api } from '@holdfast/aws-protocol';
import type { RequestContext } from '@holdfast/contracts';
import { awsManagedPolicy } from '../domain/aws-managed-policies.ts';
import { refuse } from '../domain/errors.ts';
import type { Tags } from '../domain/iam.events.ts';
import type { ActionsOf } from './action.ts';
import type { Iam } from './ports.ts';
import { change, checkPolicyArn, existingRow, pageOf, tagList, tagsOf } from './support.ts';

type Page = Pick<api.ListUserTagsRequest, 'MaxItems' | 'Marker'>;

const list = async (iam: Iam, id: string, tags: Tags, request: Page, context: RequestContext) => {
  const { rows, end } = await pageOf(iam, context, ['tags', id], request, tagList(tags), ({ Key }) => Key);
  return { Tags: [...rows], ...end };
};

const tagsOfPolicy = async (iam: Iam, arn: string, { accountId }: RequestContext): Promise<Tags> => {
  if (awsManagedPolicy(checkPolicyArn(arn)) !== null) return {};
  const row = arn.startsWith(`arn:aws:iam::${accountId}:`) ? await iam.tables.policy(arn) : null;
  return (row ?? refuse('PolicyNotFound', { arn })).tags;
};

export const tags: ActionsOf<
  api.Operations,
  | 'TagUser'
  | 'TagRole'
  | 'TagPolicy'
  | 'TagInstanceProfile'
  | 'UntagUser'
  | 'UntagRole'
  | 'UntagPolicy'
  | 'UntagInstanceProfile'
  | 'ListUserTags'
  | 'ListRoleTags'
  | 'ListPolicyTags'
  | 'ListInstanceProfileTags'
> = {
  TagUser: async (iam, { UserName: name, Tags }, context) =>
    change(iam, context, { type: 'Tag', kind: 'user', name, tags: tagsOf(Tags) }),
  TagRole: async (iam, { RoleName: name, Tags }, context) =>
    change(iam, context, { type: 'Tag', kind: 'role', name, tags: tagsOf(Tags) }),
  TagPolicy: async (iam, { PolicyArn, Tags }, context) =>
    change(iam, context, { type: 'Tag', kind: 'policy', name: checkPolicyArn(PolicyArn), tags: tagsOf(Tags) }),
  TagInstanceProfile: async (iam, { InstanceProfileName: name, Tags }, context) =>
    change(iam, context, { type: 'Tag', kind: 'instance-profile', name, tags: tagsOf(Tags) }),
  UntagUser: (iam, { UserName: name, TagKeys: keys }, context) =>
    change(iam, context, { type: 'Untag', kind: 'user', name, keys }),
  UntagRole: (iam, { RoleName: name, TagKeys: keys }, context) =>
    change(iam, context, { type: 'Untag', kind: 'role', name, keys }),
  UntagPolicy: async (iam, { PolicyArn, TagKeys: keys }, context) =>
    change(iam, context, { type: 'Untag', kind: 'policy', name: checkPolicyArn(PolicyArn), keys }),
  UntagInstanceProfile: (iam, { InstanceProfileName: name, TagKeys: keys }, context) =>
    change(iam, context, { type: 'Untag', kind: 'instance-profile', name, keys }),
  ListUserTags: async (iam, { UserName, ...request }, context) => {
    const row = await existingRow(iam, context, 'user', UserName);
    return list(iam, row.id, row.tags, request, context);
  },
  ListRoleTags: async (iam, { RoleName, ...request }, context) => {
    const row = await existingRow(iam, context, 'role', RoleName);
    return list(iam, row.id, row.tags, request, context);
  },
  ListInstanceProfileTags: async (iam, { InstanceProfileName, ...request }, context) => {
    const row = await existingRow(iam, context, 'instance-profile', InstanceProfileName);
    return list(iam, row.id, row.tags, request, context);
  },
  ListPolicyTags: async (iam, { PolicyArn, ...request }, context) =>
    list(iam, PolicyArn, await tagsOfPolicy(iam, PolicyArn, context), request, context),
};
