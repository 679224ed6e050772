import { AwsError } from '@holdfast/contracts';
import { invalidParameterValue, missingParameter } from './errors.ts';

/** EC2's Tag and TagSpecification shapes. */
export interface Tag {
  Key?: string;
  Value?: string;
}
export interface TagSpecification {
  ResourceType?: string;
  Tags?: Tag[];
}

/** A resource's tags, key to value. */
export type Tags = Readonly<Record<string, string>>;

const MAX_TAGS = 50;
const MAX_KEY_LENGTH = 127;
const MAX_VALUE_LENGTH = 255;
const RESERVED_PREFIX = /^aws:/i;

/** A null prototype, so that a tag named `__proto__` is a tag. */
const emptyTags = (): Record<string, string> => Object.create(null) as Record<string, string>;

/** Unicode's, of which JavaScript counts some as two. */
const characters = (text: string): number => [...text].length;

const checkedKey = (key: string | undefined): string => {
  if (key === undefined || key === '') throw invalidParameterValue('Tag key cannot be null or empty');
  if (RESERVED_PREFIX.test(key))
    throw invalidParameterValue("Tag keys starting with 'aws:' are reserved for internal use");
  if (characters(key) > MAX_KEY_LENGTH)
    throw invalidParameterValue(`Tag key exceeds the maximum length of ${String(MAX_KEY_LENGTH)} characters`);
  return key;
};

const checkedTags = (tags: readonly Tag[]): Tags => {
  const checked = emptyTags();
  for (const { Key, Value = '' } of tags) {
    const key = checkedKey(Key);
    if (key in checked) throw invalidParameterValue(`Duplicate tag key '${key}' specified.`);
    if (characters(Value) > MAX_VALUE_LENGTH)
      throw invalidParameterValue(`Tag value exceeds the maximum length of ${String(MAX_VALUE_LENGTH)} characters`);
    checked[key] = Value;
  }
  return checked;
};

export const tagLimitExceeded = () =>
  new AwsError({ code: 'TagLimitExceeded', message: 'The maximum number of Tags for a resource has been reached.' });

/** Whether `tags` are more than a resource may carry; tags that AWS itself sets don't count. */
export const exceedsTagLimit = (tags: Tags): boolean =>
  Object.keys(tags).filter((key) => !RESERVED_PREFIX.test(key)).length > MAX_TAGS;

/**
 * The tags of a resource that an action creates.
 * @param resourceType the only one the action creates, e.g. `volume`.
 * @throws AwsError InvalidParameterValue | TagLimitExceeded
 */
export const tagsOfSpecifications = (
  specifications: readonly TagSpecification[] | undefined,
  resourceType: string,
): Tags => {
  const all = (specifications ?? []).flatMap(({ ResourceType, Tags: tags = [] }) => {
    if (ResourceType !== resourceType)
      throw invalidParameterValue(
        `'${ResourceType ?? 'null'}' is not a valid taggable resource type for this operation.`,
      );
    if (tags.length === 0) throw invalidParameterValue('Tag specification must have at least one tag');
    return tags;
  });
  const tags = checkedTags(all);
  if (exceedsTagLimit(tags)) throw tagLimitExceeded();
  return tags;
};

/** EC2's own limit on resources of one CreateTags or DeleteTags. */
const MAX_RESOURCES = 1000;

const checkedResources = (resources: readonly string[] | undefined): readonly string[] => {
  if (resources === undefined || resources.length === 0) throw missingParameter('resourceIdSet');
  if (resources.length > MAX_RESOURCES)
    throw invalidParameterValue(`At most ${String(MAX_RESOURCES)} resources may be given.`);
  return [...new Set(resources)];
};

/** @throws AwsError MissingParameter | InvalidParameterValue | TagLimitExceeded */
export const parseCreateTags = (input: {
  Resources?: string[];
  Tags?: Tag[];
}): { resources: readonly string[]; tags: Tags } => {
  const resources = checkedResources(input.Resources);
  if (input.Tags === undefined || input.Tags.length === 0) throw missingParameter('tagSet');
  const tags = checkedTags(input.Tags);
  if (exceedsTagLimit(tags)) throw tagLimitExceeded();
  return { resources, tags };
};

/** What DeleteTags takes away: a key with any value, a key with exactly this value, or (`all`) everything the user set. */
export type TagRemoval = 'all' | readonly { readonly key: string; readonly value?: string }[];

/** @throws AwsError MissingParameter | InvalidParameterValue */
export const parseDeleteTags = (input: {
  Resources?: string[];
  Tags?: Tag[];
}): { resources: readonly string[]; removal: TagRemoval } => {
  const resources = checkedResources(input.Resources);
  if (input.Tags === undefined || input.Tags.length === 0) return { resources, removal: 'all' };
  return { resources, removal: input.Tags.map(({ Key, Value }) => ({ key: checkedKey(Key), value: Value })) };
};

export const withTags = (tags: Tags, added: Tags): Tags => Object.assign(emptyTags(), tags, added);

export const withoutTags = (tags: Tags, keys: readonly string[]): Tags => {
  const left = emptyTags();
  for (const [key, value] of Object.entries(tags)) if (!keys.includes(key)) left[key] = value;
  return left;
};

/** The keys that a removal takes from `tags`; tags that AWS itself sets stay. */
export const removedKeys = (tags: Tags, removal: TagRemoval): string[] => {
  const own = Object.keys(tags).filter((key) => !RESERVED_PREFIX.test(key));
  if (removal === 'all') return own;
  return own.filter((key) =>
    removal.some((item) => item.key === key && (item.value === undefined || item.value === tags[key])),
  );
};

/** As EC2 lists them. */
export const tagList = (tags: Tags): { Key: string; Value: string }[] =>
  Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
