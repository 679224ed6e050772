import { counted, type Effect, fails, goesOn, type KeyChange, lost, underWay } from './impact-effects.ts';
import type { KeyFacts, Replica } from './key-facts.ts';

/** An account that the change reaches, and by what. */
export interface AffectedAccount {
  readonly accountId: string;
  readonly because: readonly string[];
}

/** What disabling or deleting a key would do, from what depends on it now. */
export interface KeyImpact {
  readonly change: KeyChange;
  /** Null: KMS would do it. Otherwise why it would not; then nothing changes. */
  readonly refusedBecause: string | null;
  readonly notes: readonly string[];
  readonly goesOn: readonly Effect[];
  readonly underWay: readonly Effect[];
  readonly fails: readonly Effect[];
  /** For ever. */
  readonly lost: readonly Effect[];
  readonly accounts: readonly AffectedAccount[];
}

const accountOf = (principal: string): string | null => /^arn:aws:(?:iam|sts)::(\d{12}):/.exec(principal)?.[1] ?? null;

const affectedAccounts = ({ key, volumes, snapshots, images, grants, defaults }: KeyFacts): AffectedAccount[] => {
  const counts = new Map<string, Map<string, number>>();
  const count = (accountId: string | null, reason: string): void => {
    if (accountId === null) return;
    const own = counts.get(accountId) ?? new Map<string, number>();
    counts.set(accountId, own.set(reason, (own.get(reason) ?? 0) + 1));
  };
  for (const { accountId } of volumes) count(accountId, 'volume');
  for (const { ownerId } of snapshots) count(ownerId, 'snapshot');
  for (const accountId of snapshots.flatMap(({ sharedWith }) => sharedWith)) count(accountId, 'shared snapshot');
  for (const { ownerId } of images) count(ownerId, 'image');
  for (const { granteePrincipal } of grants) count(accountOf(granteePrincipal), 'grant');
  const reasons = new Map<string, string[]>([[key.accountId, ['owns the key']]]);
  const add = (accountId: string, reason: string): unknown =>
    reasons.set(accountId, [...(reasons.get(accountId) ?? []), reason]);
  for (const { accountId, region } of defaults) add(accountId, `default key for EBS in ${region}`);
  for (const [accountId, own] of counts) for (const [reason, times] of own) add(accountId, counted(times, reason));
  return [...reasons]
    .map(([accountId, because]) => ({ accountId, because }))
    .sort((a, b) => (a.accountId < b.accountId ? -1 : 1));
};

const isDying = (state: string): boolean => state === 'PendingDeletion' || state === 'PendingReplicaDeletion';

/** @see apps/kms, key states: which of them let the two operations pass */
const refusal = ({ key }: KeyFacts, change: KeyChange): string | null => {
  if (key.keyManager === 'AWS') return 'AWS manages the key, and KMS lets nobody disable or delete such a key';
  if (change === 'delete' || key.state === 'Enabled' || key.state === 'Disabled') return null;
  if (isDying(key.state)) return 'it is pending deletion already: see --if delete';
  return 'it has no key material, so it cannot be used in any case';
};

const timing = ({ key, replicas }: KeyFacts, change: KeyChange): string => {
  if (change === 'disable') return 'EnableKey undoes it at any time: nothing is lost.';
  if (key.deletionDate !== null) return `It is gone at ${key.deletionDate}; until then CancelKeyDeletion undoes it.`;
  if (isDying(key.state)) return 'It is gone once its replicas are; until then CancelKeyDeletion undoes it.';
  if (key.primaryRegion === key.region && replicas.length > 0) {
    return 'It cannot be used from the moment it is scheduled; its waiting period begins once its replicas are deleted.';
  }
  return 'It cannot be used from the moment it is scheduled, and is gone 7 to 30 days later; until then CancelKeyDeletion undoes it.';
};

/** Other Regions' keys of the set have the same material, unless they go as well. */
const survivors = ({ replicas }: KeyFacts): readonly Replica[] => replicas.filter(({ state }) => !isDying(state));

const replicaNotes = (facts: KeyFacts, change: KeyChange): string[] => {
  const { key, replicas } = facts;
  if (replicas.length === 0) return [];
  const regions = replicas.map(({ region, state }) => `${region} (${state})`).join(', ');
  const notes = [`Only the key in ${key.region} changes: the same multi-Region key stays as it is in ${regions}.`];
  if (change === 'disable') return notes;
  if (survivors(facts).length > 0) {
    notes.push(
      `Nothing is lost while it exists elsewhere: replicated to ${key.region} again, it opens everything again.`,
    );
  }
  return notes;
};

const notesOf = (facts: KeyFacts, change: KeyChange): string[] => {
  const { key } = facts;
  const notes = [timing(facts, change), ...replicaNotes(facts, change)];
  if (key.state !== 'Enabled') notes.unshift(`It is ${key.state} now: what fails, fails already.`);
  if (change === 'delete' && key.origin === 'EXTERNAL') {
    notes.push(
      key.keySpec === 'SYMMETRIC_DEFAULT'
        ? 'Its material was imported; imported into another key it opens nothing of this one.'
        : 'Its material was imported, and can be imported into another key, which then takes its place.',
    );
  }
  return notes;
};

/** @param facts as gathered from all services, at one time. */
export const impactOf = (facts: KeyFacts, change: KeyChange): KeyImpact => {
  const refusedBecause = refusal(facts, change);
  const accounts = affectedAccounts(facts);
  if (refusedBecause !== null) {
    return { change, refusedBecause, notes: [], goesOn: [], underWay: [], fails: [], lost: [], accounts };
  }
  return {
    change,
    refusedBecause,
    notes: notesOf(facts, change),
    goesOn: goesOn(facts),
    underWay: underWay(facts),
    fails: fails(facts, change),
    lost: change === 'disable' || survivors(facts).length > 0 ? [] : lost(facts),
    accounts,
  };
};
