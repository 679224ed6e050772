import { connectBus } from '@holdfast/messaging';
import { UserError } from '../errors.ts';
import { counted, type Effect, type KeyChange } from '../keys/impact-effects.ts';
import type { KeyFacts } from '../keys/key-facts.ts';
import { impactOf, type KeyImpact } from '../keys/key-impact.ts';
import { findOneKey } from '../keys/key-names.ts';
import { readKeyFacts } from '../keys/read-key-facts.ts';
import { withStackTables } from '../keys/stack-tables.ts';
import { readStackFile } from '../stack-file.ts';

/** @throws UserError for anything but the two. */
export const parseChange = (text: string): KeyChange => {
  if (text === 'disable' || text === 'delete') return text;
  throw new UserError(`--if ${text}: give disable or delete`);
};

const CHANGED: Readonly<Record<KeyChange, string>> = { disable: 'disabled', delete: 'deleted' };
/** Of one kind of effect in the text; --json has them all. */
const SHOWN = 50;

const section = (title: string, effects: readonly Effect[]): string[] => {
  if (effects.length === 0) return [];
  const lines = effects.slice(0, SHOWN).map(({ id, accountId, effect }) => `  ${id}  (${accountId})  ${effect}`);
  const more = effects.length - lines.length;
  return [
    '',
    `${title} (${String(effects.length)})`,
    ...lines,
    ...(more > 0 ? [`  and ${String(more)} more: see --json`] : []),
  ];
};

const describeKey = ({ key, aliases }: KeyFacts): string => {
  const kind = key.multiRegion
    ? `, ${key.primaryRegion === key.region ? 'primary' : 'replica'} of a multi-Region key`
    : '';
  const manager = key.keyManager === 'AWS' ? ', managed by AWS' : '';
  return `${[key.arn, ...aliases].join('  ')}  ${key.state}, ${key.keySpec}${manager}${kind}`;
};

/** Lines for people. */
export const formatImpact = (facts: KeyFacts, impact: KeyImpact): string[] => {
  const { change, refusedBecause, notes, goesOn, underWay, fails, lost, accounts } = impact;
  const { volumes, snapshots, images, grants } = facts;
  const dependents = [
    counted(volumes.length, 'volume'),
    counted(snapshots.length, 'snapshot'),
    counted(images.length, 'image'),
    counted(grants.length, 'grant'),
  ];
  return [
    describeKey(facts),
    `Under it: ${dependents.join(', ')}`,
    refusedBecause === null ? `If it is ${CHANGED[change]}:` : `It will not be ${CHANGED[change]}: ${refusedBecause}.`,
    ...notes.map((note) => `  ${note}`),
    ...section('Goes on for now', goesOn),
    ...section('Under way', underWay),
    ...section('Fails from then on', fails),
    ...section('Lost for ever', lost),
    '',
    `Accounts (${String(accounts.length)})`,
    ...accounts.map(({ accountId, because }) => `  ${accountId}  ${because.join(', ')}`),
  ];
};

/**
 * Prints what would become of everything that depends on a key if it were disabled or deleted; changes nothing.
 * @param name a key's id or ARN, an alias's name or ARN.
 * @throws UserError when no stack runs on `home`, and for a name that is no key's.
 */
export const keysImpact = async (
  home: string,
  name: string,
  change: KeyChange,
  json: boolean,
  print: (text: string) => void,
): Promise<void> => {
  const stack = readStackFile(home);
  const bus = await connectBus({ nats: stack.nats, name: 'holdfast keys' });
  try {
    await withStackTables(stack, async (tables) => {
      const facts = await readKeyFacts(tables, bus, await findOneKey(tables.of('kms'), name));
      const impact = impactOf(facts, change);
      if (json) print(JSON.stringify({ ...impact, dependents: facts }, null, 2));
      else for (const line of formatImpact(facts, impact)) print(line);
    });
  } finally {
    await bus.close();
  }
};
