import { UserError } from '../errors.ts';
import { deletionOf, findKeys, parseKeyReference } from '../keys/key-names.ts';
import { type KeyUses, readKeyUses, type UsageFilter } from '../keys/key-usage.ts';
import { type Query, withStackTables } from '../keys/stack-tables.ts';
import { readStackFile } from '../stack-file.ts';
import { parseTime } from '../timeline.ts';

export interface UsageOptions {
  readonly key?: string;
  readonly volume?: string;
  readonly principal?: string;
  readonly from?: string;
  readonly to?: string;
  /** One JSON document instead of text. */
  readonly json: boolean;
}

/** An id means the key in all its Regions, those where it was deleted among them. @throws UserError */
const keyFilter = async (kms: Query, key: string | undefined): Promise<Pick<UsageFilter, 'arns' | 'keyId'>> => {
  if (key === undefined) return {};
  const reference = parseKeyReference(key);
  const found = await findKeys(kms, reference);
  const isKnown = found.length > 0 || (await deletionOf(kms, reference)) !== null;
  if (!isKnown) throw new UserError(`there is no key ${key}`);
  if (reference.kind === 'id') return { keyId: reference.keyId };
  return { arns: reference.kind === 'key-arn' ? [reference.arn] : found.map(({ arn }) => arn) };
};

const EBS_ID = /^(?:vol|snap)-[0-9a-f]{8,17}$/;

const filterOf = async (kms: Query, options: UsageOptions, now: Date): Promise<UsageFilter> => {
  const { key, volume, principal, from, to } = options;
  if (volume !== undefined && !EBS_ID.test(volume))
    throw new UserError(`--volume ${volume}: give a volume's id, vol-…`);
  const period = {
    ...(from === undefined ? {} : { from: parseTime('--from', from, now) }),
    ...(to === undefined ? {} : { to: parseTime('--to', to, now) }),
  };
  if (period.from !== undefined && period.to !== undefined && period.from >= period.to) {
    throw new UserError(`the period from ${period.from.toISOString()} to ${period.to.toISOString()} is empty`);
  }
  return {
    ...(await keyFilter(kms, key)),
    ...(volume === undefined ? {} : { ebsId: volume }),
    ...(principal === undefined ? {} : { principal }),
    ...period,
  };
};

const OPERATION_WIDTH = 36;
const COUNT_WIDTH = 8;

const describeUses = function* (uses: readonly KeyUses[]): Generator<string> {
  let key: string | undefined;
  for (const { keyArn, ebsId, principalArn, operations } of uses) {
    if (keyArn !== key) yield (key = keyArn);
    yield `  ${ebsId ?? 'outside EBS'}  ${principalArn}`;
    for (const { operation, count, firstAt, lastAt } of operations) {
      const when = firstAt === lastAt ? firstAt : `${firstAt}  ${lastAt}`;
      yield `    ${operation.padEnd(OPERATION_WIDTH)}${String(count).padStart(COUNT_WIDTH)}  ${when}`;
    }
  }
};

/**
 * Prints what keys were used for: per key, volume and principal each operation's count, first and last time.
 * @throws UserError when no stack runs on `home`, and for a key that never was.
 */
export const keysUsage = (home: string, options: UsageOptions, print: (text: string) => void): Promise<void> =>
  withStackTables(readStackFile(home), async (tables) => {
    const kms = tables.of('kms');
    const filter = await filterOf(kms, options, new Date());
    const uses = await readKeyUses(kms, filter);
    if (options.json) {
      print(JSON.stringify({ from: filter.from ?? null, to: filter.to ?? null, uses }, null, 2));
      return;
    }
    if (uses.length === 0) print('no key was used so');
    for (const line of describeUses(uses)) print(line);
  });
