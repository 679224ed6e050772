import { type AccessTarget, ec2Arn, type Input, type ResourceFacts, type TargetCaller } from './access-target.ts';

export type Context = Record<string, string | number | boolean | readonly string[] | undefined>;
export type Targets = (input: Input, caller: TargetCaller, facts: ResourceFacts) => Promise<AccessTarget[]>;

export const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;
export const texts = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];

export interface Tag {
  Key?: string;
  Value?: string;
}
export interface TagSpecification {
  ResourceType?: string;
  Tags?: Tag[];
}

/** aws:RequestTag/… and aws:TagKeys of the tags that a request gives. */
export const requestTags = (tags: readonly Tag[]): Context => ({
  ...Object.fromEntries(tags.map(({ Key = '', Value = '' }) => [`aws:RequestTag/${Key}`, Value])),
  'aws:TagKeys': tags.map(({ Key = '' }) => Key),
});

/** aws:ResourceTag/… and ec2:ResourceTag/… of a resource that exists. */
export const resourceTags = (tags: Readonly<Record<string, string>>): Context =>
  Object.fromEntries(
    Object.entries(tags).flatMap(([key, value]) => [
      [`aws:ResourceTag/${key}`, value],
      [`ec2:ResourceTag/${key}`, value],
    ]),
  );

export const target = (
  action: string,
  caller: TargetCaller,
  kind: string,
  id: string,
  context: Context = {},
): AccessTarget => ({
  action: `ec2:${action}`,
  resource: ec2Arn(caller, kind, id),
  // A snapshot or image of another account is decided on by its owner's sharing, not by a policy of its own.
  resourceAccount: kind === 'snapshot' || kind === 'image' ? null : caller.accountId,
  context: { 'ec2:Region': caller.region, ...context },
});

/** The keys that name what exists by its id. */
const ID_KEYS: Readonly<Record<string, string>> = {
  volume: 'ec2:VolumeID',
  snapshot: 'ec2:SnapshotID',
  image: 'ec2:ImageID',
};

const idOf = (kind: string, id: string): Context => {
  const key = ID_KEYS[kind];
  return key === undefined || id === '*' ? {} : { [key]: id };
};

export const existing = async (
  action: string,
  caller: TargetCaller,
  kind: string,
  id: string,
  facts: ResourceFacts,
  context: Context = {},
): Promise<AccessTarget> => {
  const [attributes, tags] = await Promise.all([facts.attributesOf(kind, id), facts.tagsOf(id)]);
  return target(action, caller, kind, id, { ...attributes, ...context, ...idOf(kind, id), ...resourceTags(tags) });
};

/** Tags on creation need ec2:CreateTags for that creation as well. */
export const tagging = (action: string, input: Input, caller: TargetCaller, kinds: readonly string[]): AccessTarget[] =>
  ((input['TagSpecifications'] ?? []) as TagSpecification[])
    .filter(({ ResourceType = '', Tags = [] }) => kinds.includes(ResourceType) && Tags.length > 0)
    .map(({ ResourceType = '', Tags = [] }) =>
      target('CreateTags', caller, ResourceType, '*', { ...requestTags(Tags), 'ec2:CreateAction': action }),
    );

export const tagsFor = (input: Input, kind: string): readonly Tag[] =>
  ((input['TagSpecifications'] ?? []) as TagSpecification[])
    .filter((spec) => spec.ResourceType === kind)
    .flatMap(({ Tags = [] }) => Tags);
