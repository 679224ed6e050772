import type { AccountId, Instant, Region } from '@holdfast/contracts';
import { specification } from '@holdfast/decider/testing';
import { describe, expect, it } from 'vitest';
import {
  retentionOf,
  type Rule,
  ruleDecider,
  type RuleEvent,
  ruleLockState,
  type RuleTerms,
} from './recycle-rule.decider.ts';

const ruleId = 'aBcDeFgHiJk';
const at = (day: number) => `2026-01-${String(day).padStart(2, '0')}T00:00:00.000Z` as Instant;
const terms = (fields: Partial<RuleTerms> = {}): RuleTerms => ({
  ...{ resourceType: 'EBS_SNAPSHOT', retentionDays: 7, description: '', resourceTags: [], excludeResourceTags: [] },
  ...fields,
});
const of = { ruleId, accountId: '111122223333' as AccountId, region: 'eu-central-1' as Region, tags: {}, at: at(1) };
const create = { type: 'CreateRule', ...of, terms: terms(), unlockDelayDays: null } as const;
const created: RuleEvent = { ...create, type: 'RecycleRuleCreated' };
const tagged = terms({ resourceTags: [{ key: 'k', value: 'v' }] });
const lockedEvent: RuleEvent = { type: 'RecycleRuleLocked', ruleId, unlockDelayDays: 7, at: at(2) };
const unlocking: RuleEvent = { type: 'RecycleRuleUnlockStarted', ruleId, unlocksAt: at(10), at: at(3) };
const given = specification(ruleDecider);

describe('a retention rule', () => {
  it('is made, changed and deleted', () => {
    given().when(create).then(created);
    given(created)
      .when({ type: 'UpdateRule', ruleId, change: { retentionDays: 9 }, at: at(2) })
      .then({ type: 'RecycleRuleUpdated', ruleId, terms: terms({ retentionDays: 9 }), at: at(2) });
    given(created)
      .when({ type: 'DeleteRule', ruleId, at: at(2) })
      .then({ type: 'RecycleRuleDeleted', ruleId, at: at(2) });
    given()
      .when({ type: 'DeleteRule', ruleId, at: at(2) })
      .thenRefuses('RuleNotFound');
  });

  it('keeps its resource type, and has tags or exclusions', () => {
    given(created)
      .when({ type: 'UpdateRule', ruleId, change: { resourceType: 'EC2_IMAGE' }, at: at(2) })
      .thenRefuses('ResourceTypeFixed');
    const both = { ...tagged, excludeResourceTags: tagged.resourceTags };
    given()
      .when({ ...create, terms: both })
      .thenRefuses('ExclusionOfTagRule');
  });

  it('keeps volumes for a week at most, and all else for a year', () => {
    const keep = (resourceType: RuleTerms['resourceType'], retentionDays: number) => ({
      ...create,
      terms: terms({ resourceType, retentionDays }),
    });
    for (const [resourceType, days] of [['EBS_SNAPSHOT', 365], ['EC2_IMAGE', 365], ['EBS_VOLUME', 7]] as const) {
      given().when(keep(resourceType, days)).then({ ...keep(resourceType, days), type: 'RecycleRuleCreated' });
      given().when(keep(resourceType, days + 1)).thenRefuses('RetentionTooLong');
    } // prettier-ignore
    given({ ...created, terms: terms({ resourceType: 'EBS_VOLUME' }) })
      .when({ type: 'UpdateRule', ruleId, change: { retentionDays: 8 }, at: at(2) })
      .thenRefuses('RetentionTooLong');
  });

  it('is locked only for a whole Region, and then stays as it is until its delay is over', () => {
    const lock = { type: 'LockRule', ruleId, unlockDelayDays: 7, at: at(2) } as const;
    given(created).when(lock).then(lockedEvent);
    given({ ...created, terms: tagged })
      .when(lock)
      .thenRefuses('RuleNotLockable');
    given()
      .when({ ...create, terms: tagged, unlockDelayDays: 7 })
      .thenRefuses('RuleNotLockable');
    const remove = (day: number) => ({ type: 'DeleteRule', ruleId, at: at(day) }) as const;
    given(created, lockedEvent).when(remove(3)).thenRefuses('RuleLocked');
    given(created, lockedEvent)
      .when({ type: 'UnlockRule', ruleId, at: at(3) })
      .then(unlocking);
    given(created, lockedEvent, unlocking).when(remove(9)).thenRefuses('RuleLocked');
    given(created, lockedEvent, unlocking)
      .when(remove(10))
      .then({ type: 'RecycleRuleDeleted', ruleId, at: at(10) });
    given(created)
      .when({ type: 'UnlockRule', ruleId, at: at(3) })
      .thenRefuses('RuleNotLocked');
    const rule = [created, lockedEvent, unlocking].reduce(ruleDecider.evolve, null) as Rule;
    expect([9, 10].map((day) => ruleLockState(rule, at(day)))).toEqual(['pending_unlock', 'unlocked']);
  });

  it('has at most 50 tags', () => {
    const tags = Object.fromEntries(Array.from({ length: 51 }, (_, n) => [`k${String(n)}`, '']));
    given(created)
      .when({ type: 'TagRule', ruleId, tags, at: at(2) })
      .thenRefuses('RuleTagsExceeded');
    given(created)
      .when({ type: 'UntagRule', ruleId, keys: ['none'], at: at(2) })
      .thenNothing();
  });
});

describe('retention', () => {
  const snapshot = (tags: Record<string, string>) => ({ type: 'EBS_SNAPSHOT', tags }) as const;

  it('is that of the longest rule that matches', () => {
    const rules = [terms({ retentionDays: 3 }), terms({ ...tagged, retentionDays: 9 })];
    expect(retentionOf(rules, snapshot({ k: 'v' }))).toBe(9);
    expect(retentionOf(rules, snapshot({ k: 'w' }))).toBe(3);
    expect(retentionOf(rules, { type: 'EBS_VOLUME', tags: { k: 'v' } })).toBeNull();
  });

  it('is not of what a rule of the Region excludes', () => {
    const rule = terms({ excludeResourceTags: [{ key: 'temporary', value: null }] });
    expect(retentionOf([rule], snapshot({ temporary: 'x' }))).toBeNull();
    expect(retentionOf([rule], snapshot({}))).toBe(7);
  });
});
