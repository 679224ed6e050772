import { refuse } from './errors.ts';
import type { Tag } from './key.events.ts';

export const MAX_TAGS = 50;

/**
 * Rules for tags as one request brings them, and for what a key would carry after it.
 * @throws DomainError DuplicateTagKeys | TooManyTags | ReservedTagKey
 */
export const checkTags = (added: readonly Tag[], present: ReadonlyMap<string, string> = new Map()): void => {
  if (added.some(({ TagKey }) => /^aws:/i.test(TagKey))) refuse('ReservedTagKey', {});
  const keys = new Set(added.map(({ TagKey }) => TagKey));
  if (keys.size !== added.length) refuse('DuplicateTagKeys', {});
  if (new Set([...present.keys(), ...keys]).size > MAX_TAGS) refuse('TooManyTags', {});
};
