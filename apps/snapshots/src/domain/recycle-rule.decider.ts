import type { AccountId, Instant, Region } from '@holdfast/contracts';
import { assertNever, type Decider, DomainError } from '@holdfast/decider';

const DAY_MS = 86_400_000;
/** @see CreateRule: the limits that its model does not tell of. */
const MAX_TAGS = 50;

/** The model allows 3650 of all. @see Amazon Recycle Bin API reference, RetentionPeriod */
const MAX_DAYS = { EBS_SNAPSHOT: 365, EC2_IMAGE: 365, EBS_VOLUME: 7 } as const;

export type ResourceType = 'EBS_SNAPSHOT' | 'EC2_IMAGE' | 'EBS_VOLUME';

/** `value` null: whatever the value. */
export interface ResourceTag {
  readonly key: string;
  readonly value: string | null;
}

/** What a rule keeps, and for how long. Without tags it is of the whole Region, but for what has an excluded tag. */
export interface RuleTerms {
  readonly resourceType: ResourceType;
  readonly retentionDays: number;
  readonly description: string;
  readonly resourceTags: readonly ResourceTag[];
  readonly excludeResourceTags: readonly ResourceTag[];
}

interface Common {
  ruleId: string;
  at: Instant;
}

export type RuleEvent =
  | (Common & {
      type: 'RecycleRuleCreated';
      accountId: AccountId;
      region: Region;
      terms: RuleTerms;
      tags: Readonly<Record<string, string>>;
      unlockDelayDays: number | null;
    })
  | (Common & { type: 'RecycleRuleUpdated'; terms: RuleTerms })
  | (Common & { type: 'RecycleRuleDeleted' })
  | (Common & { type: 'RecycleRuleLocked'; unlockDelayDays: number })
  /** It stays as it is until the delay is over. */
  | (Common & { type: 'RecycleRuleUnlockStarted'; unlocksAt: Instant })
  | (Common & { type: 'RecycleRuleTagged'; tags: Readonly<Record<string, string>> })
  | (Common & { type: 'RecycleRuleUntagged'; keys: readonly string[] });

export type RuleCommand =
  | (Omit<Extract<RuleEvent, { type: 'RecycleRuleCreated' }>, 'type'> & { type: 'CreateRule' })
  | (Common & { type: 'UpdateRule'; change: Partial<RuleTerms> })
  | (Common & { type: 'DeleteRule' })
  | (Common & { type: 'LockRule'; unlockDelayDays: number })
  | (Common & { type: 'UnlockRule' })
  | (Common & { type: 'TagRule'; tags: Readonly<Record<string, string>> })
  | (Common & { type: 'UntagRule'; keys: readonly string[] });

/** Null `lock`: it was never locked, or is unlocked for good. `unlocksAt` null: nobody asked for that. */
export interface Rule {
  readonly ruleId: string;
  readonly accountId: AccountId;
  readonly region: Region;
  readonly terms: RuleTerms;
  readonly tags: Readonly<Record<string, string>>;
  readonly lock: { readonly unlockDelayDays: number; readonly unlocksAt: Instant | null } | null;
  readonly createdAt: Instant;
}

/** Null: there is none, or none any more. */
export type RuleState = Rule | null;

export type RuleErrorCode =
  | 'ExclusionOfTagRule'
  | 'ResourceTypeFixed'
  | 'RetentionTooLong'
  | 'RuleAlreadyExists'
  | 'RuleLocked'
  | 'RuleNotFound'
  | 'RuleNotLockable'
  | 'RuleNotLocked'
  | 'RuleTagsExceeded';

export type RuleLockState = 'locked' | 'pending_unlock' | 'unlocked';

export const ruleLockState = ({ lock }: Rule, now: Instant): RuleLockState => {
  if (lock === null || (lock.unlocksAt !== null && lock.unlocksAt <= now)) return 'unlocked';
  return lock.unlocksAt === null ? 'locked' : 'pending_unlock';
};

const has = (tags: Readonly<Record<string, string>>, { key, value }: ResourceTag): boolean =>
  Object.hasOwn(tags, key) && (value === null || tags[key] === value);

/** Whether a deleted resource with these tags is kept by the rule. */
export const retains = (
  { resourceType, resourceTags, excludeResourceTags }: RuleTerms,
  resource: { type: ResourceType; tags: Readonly<Record<string, string>> },
): boolean => {
  if (resource.type !== resourceType) return false;
  if (resourceTags.length > 0) return resourceTags.some((tag) => has(resource.tags, tag));
  return !excludeResourceTags.some((tag) => has(resource.tags, tag));
};

/** The longest of the rules that match; null: none does. */
export const retentionOf = (
  rules: readonly RuleTerms[],
  resource: { type: ResourceType; tags: Readonly<Record<string, string>> },
): number | null => {
  const days = rules.filter((terms) => retains(terms, resource)).map(({ retentionDays }) => retentionDays);
  return days.length === 0 ? null : Math.max(...days);
};

export const evolveRule = (state: RuleState, event: RuleEvent): RuleState => {
  if (event.type === 'RecycleRuleCreated') {
    const { ruleId, accountId, region, terms, tags, unlockDelayDays, at } = event;
    const lock = unlockDelayDays === null ? null : { unlockDelayDays, unlocksAt: null };
    return { ruleId, accountId, region, terms, tags, lock, createdAt: at };
  }
  if (state === null) return state;
  switch (event.type) {
    case 'RecycleRuleUpdated':
      return { ...state, terms: event.terms };
    case 'RecycleRuleDeleted':
      return null;
    case 'RecycleRuleLocked':
      return { ...state, lock: { unlockDelayDays: event.unlockDelayDays, unlocksAt: null } };
    case 'RecycleRuleUnlockStarted':
      return { ...state, lock: state.lock && { ...state.lock, unlocksAt: event.unlocksAt } };
    case 'RecycleRuleTagged':
      return { ...state, tags: { ...state.tags, ...event.tags } };
    case 'RecycleRuleUntagged': {
      const kept = Object.entries(state.tags).filter(([key]) => !event.keys.includes(key));
      return { ...state, tags: Object.fromEntries(kept) };
    }
    default:
      return assertNever(event);
  }
};

const refuse = (code: RuleErrorCode, { ruleId }: RuleCommand): never => {
  throw new DomainError(code, { ruleId });
};

/** Only rules of a whole Region, without exclusions, can be locked. */
const isLockable = ({ resourceTags, excludeResourceTags }: RuleTerms): boolean =>
  resourceTags.length === 0 && excludeResourceTags.length === 0;

const checkTerms = (terms: RuleTerms, command: RuleCommand): void => {
  const { resourceType, retentionDays } = terms;
  const maximum = MAX_DAYS[resourceType];
  if (retentionDays > maximum)
    throw new DomainError('RetentionTooLong', { ruleId: command.ruleId, resourceType, maximum });
  if (terms.resourceTags.length > 0 && terms.excludeResourceTags.length > 0) refuse('ExclusionOfTagRule', command);
};

type CommandOf<Type extends RuleCommand['type']> = Extract<RuleCommand, { type: Type }>;

const create = (command: CommandOf<'CreateRule'>): readonly RuleEvent[] => {
  const { ruleId, accountId, region, terms, tags, unlockDelayDays, at } = command;
  checkTerms(terms, command);
  if (unlockDelayDays !== null && !isLockable(terms)) return refuse('RuleNotLockable', command);
  if (Object.keys(tags).length > MAX_TAGS) return refuse('RuleTagsExceeded', command);
  return [{ type: 'RecycleRuleCreated', ruleId, accountId, region, terms, tags, unlockDelayDays, at }];
};

const update = (command: CommandOf<'UpdateRule'>, { terms }: Rule): readonly RuleEvent[] => {
  const { ruleId, change, at } = command;
  if (change.resourceType !== undefined && change.resourceType !== terms.resourceType)
    return refuse('ResourceTypeFixed', command);
  const updated = { ...terms, ...change };
  checkTerms(updated, command);
  return [{ type: 'RecycleRuleUpdated', ruleId, terms: updated, at }];
};

const lock = (command: CommandOf<'LockRule'>, rule: Rule): readonly RuleEvent[] => {
  const { ruleId, unlockDelayDays, at } = command;
  if (!isLockable(rule.terms)) return refuse('RuleNotLockable', command);
  if (ruleLockState(rule, at) === 'locked') return refuse('RuleLocked', command);
  return [{ type: 'RecycleRuleLocked', ruleId, unlockDelayDays, at }];
};

const unlock = (command: CommandOf<'UnlockRule'>, rule: Rule): readonly RuleEvent[] => {
  const { ruleId, at } = command;
  if (rule.lock === null || ruleLockState(rule, at) !== 'locked') return refuse('RuleNotLocked', command);
  const unlocksAt = new Date(Date.parse(at) + rule.lock.unlockDelayDays * DAY_MS).toISOString() as Instant;
  return [{ type: 'RecycleRuleUnlockStarted', ruleId, unlocksAt, at }];
};

const tag = (command: CommandOf<'TagRule' | 'UntagRule'>, rule: Rule): readonly RuleEvent[] => {
  const { ruleId, at } = command;
  if (command.type === 'UntagRule') {
    const keys = command.keys.filter((key) => Object.hasOwn(rule.tags, key));
    return keys.length === 0 ? [] : [{ type: 'RecycleRuleUntagged', ruleId, keys, at }];
  }
  if (Object.keys({ ...rule.tags, ...command.tags }).length > MAX_TAGS) return refuse('RuleTagsExceeded', command);
  return [{ type: 'RecycleRuleTagged', ruleId, tags: command.tags, at }];
};

const decide = (command: RuleCommand, rule: RuleState): readonly RuleEvent[] => {
  const { ruleId, at } = command;
  if (command.type === 'CreateRule') return rule === null ? create(command) : refuse('RuleAlreadyExists', command);
  if (rule === null) return refuse('RuleNotFound', command);
  switch (command.type) {
    case 'LockRule':
      return lock(command, rule);
    case 'UnlockRule':
      return unlock(command, rule);
    case 'TagRule':
    case 'UntagRule':
      return tag(command, rule);
    case 'UpdateRule':
    case 'DeleteRule':
      if (ruleLockState(rule, at) !== 'unlocked') return refuse('RuleLocked', command);
      return command.type === 'UpdateRule' ? update(command, rule) : [{ type: 'RecycleRuleDeleted', ruleId, at }];
    default:
      return assertNever(command);
  }
};

/** A retention rule of the Recycle Bin; stream `recycle-rule-<ruleId>`. */
export const ruleDecider: Decider<RuleCommand, RuleEvent, RuleState> = {
  initialState: null,
  evolve: evolveRule,
  decide,
};
