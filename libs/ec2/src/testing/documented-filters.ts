import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const MODELS = join(dirname(createRequire(import.meta.url).resolve('@aws-sdk/client-ec2')), '../dist-types/models');

let models: string | undefined;
const allModels = (): string =>
  (models ??= readdirSync(MODELS)
    .filter((name) => /^models_\d+\.d\.ts$/.test(name))
    .map((name) => readFileSync(join(MODELS, name), 'utf8'))
    .join('\n'));

/** What every table of filters knows besides, or is asked for by another name. */
const OF_TAGS = new Set(['tag', 'tag-key']);

/**
 * Names of the filters that AWS's documentation lists for a Describe operation, but for those of tags: the words of the
 * official SDK's types.
 * @param operation e.g. `DescribeVolumes`.
 */
export const documentedFilters = (operation: string): string[] => {
  const request = new RegExp(`export interface ${operation}Request \\{\\n(.*?)\\n\\}`, 's').exec(allModels())?.[1];
  const comment = request
    ?.split(/ {4}Filters\?: /)[0]
    ?.split('/**')
    .at(-1);
  if (request === undefined || comment === undefined || !request.includes('Filters?: '))
    throw new RangeError(`the SDK documents no filters of ${operation}`);
  const names = [...comment.matchAll(/<p>\s*(?:\*\s*)?<code>([\w.-]+)</g)].map(([, name = '']) => name);
  if (names.length === 0) throw new RangeError(`no filter of ${operation} was recognized`);
  return [...new Set(names)].filter((name) => !OF_TAGS.has(name)).sort();
};
