import { randomInt } from 'node:crypto';
import type { rbin } from '@holdfast/aws-protocol';
import { callerOf, type InternalRequests, type RequestContext } from '@holdfast/contracts';
import { type PageTokens, tagList } from '@holdfast/ec2';
import type { Clock } from '@holdfast/service-kit';
import {
  type ResourceTag,
  type ResourceType,
  retentionOf,
  type Rule,
  ruleLockState,
  type RuleTerms,
} from '../domain/recycle-rule.decider.ts';
import { rbinInvalid, rbinQuotaExceeded, ruleNotFound } from './rbin-errors.ts';
import type { RuleStore } from './rule-ports.ts';

const MAX_RULES = 250;
const PAGE = 1000;
const ID_LENGTH = 11;
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

const newRuleId = (): string => Array.from({ length: ID_LENGTH }, () => LETTERS[randomInt(LETTERS.length)]).join('');

type Internal = InternalRequests['snapshots'];
type Nothing = Record<string, never>;

/** The Recycle Bin's own API: which deleted resources are kept, and how long. */
export class RecycleRules {
  constructor(
    private readonly rules: RuleStore,
    private readonly tokens: PageTokens,
    private readonly clock: Clock,
  ) {}

  async create(input: rbin.CreateRuleRequest, context: RequestContext): Promise<rbin.CreateRuleResponse> {
    const { accountId, region } = context;
    const { ResourceType: resourceType } = input;
    if (!isResourceType(resourceType))
      throw rbinInvalid(`Retention rules for the resource type ${resourceType} are not supported.`);
    if ((await this.rules.ofType(null, context)).length >= MAX_RULES) throw rbinQuotaExceeded();
    const ruleId = newRuleId();
    const terms: RuleTerms = {
      resourceType,
      retentionDays: input.RetentionPeriod.RetentionPeriodValue,
      description: input.Description ?? '',
      resourceTags: resourceTags(input.ResourceTags),
      excludeResourceTags: resourceTags(input.ExcludeResourceTags),
    };
    const unlockDelayDays = input.LockConfiguration?.UnlockDelay.UnlockDelayValue ?? null;
    const tags = checkedTags(input.Tags ?? []);
    const at = this.clock.instant();
    await this.rules.handle(
      { type: 'CreateRule', ruleId, accountId, region, terms, tags, unlockDelayDays, at },
      { caller: callerOf(context) },
    );
    return { ...(await this.view(ruleId, context)), Tags: tagList(tags) };
  }

  get({ Identifier }: rbin.GetRuleRequest, context: RequestContext): Promise<rbin.GetRuleResponse> {
    return this.view(Identifier, context);
  }

  async list(input: rbin.ListRulesRequest, context: RequestContext): Promise<rbin.ListRulesResponse> {
    const now = this.clock.instant();
    const scope = { accountId: context.accountId, region: context.region, action: 'ListRules' };
    const after = BigInt(input.NextToken === undefined ? 0 : this.position(scope, input.NextToken));
    const wanted = resourceTags(input.ResourceTags);
    const excluded = resourceTags(input.ExcludeResourceTags);
    const limit = input.MaxResults ?? PAGE;
    const found = (await this.rules.ofType(input.ResourceType as ResourceType, context)).filter(
      ({ rule, position }) =>
        BigInt(position) > after &&
        (input.LockState === undefined || ruleLockState(rule, now) === input.LockState) &&
        wanted.every((tag) => names(rule.terms.resourceTags, tag)) &&
        excluded.every((tag) => names(rule.terms.excludeResourceTags, tag)),
    );
    const page = found.slice(0, limit);
    const last = found.length > limit ? page.at(-1) : undefined;
    const Rules = page.map(({ rule }) => {
      const { Identifier, Description, RetentionPeriod, LockState, RuleArn } = viewOf(rule, now);
      return { Identifier, Description, RetentionPeriod, LockState, RuleArn };
    });
    return last === undefined ? { Rules } : { Rules, NextToken: this.tokens.issue(scope, last.position) };
  }

  async update(input: rbin.UpdateRuleRequest, context: RequestContext): Promise<rbin.UpdateRuleResponse> {
    const { Identifier: ruleId, RetentionPeriod: period, Description, ResourceType: type } = input;
    const change: Partial<RuleTerms> = {
      ...(type === undefined ? {} : { resourceType: type as ResourceType }),
      ...(period === undefined ? {} : { retentionDays: period.RetentionPeriodValue }),
      ...(Description === undefined ? {} : { description: Description }),
      ...(input.ResourceTags === undefined ? {} : { resourceTags: resourceTags(input.ResourceTags) }),
      ...(input.ExcludeResourceTags === undefined
        ? {}
        : { excludeResourceTags: resourceTags(input.ExcludeResourceTags) }),
    };
    await this.own(ruleId, context);
    await this.change({ type: 'UpdateRule', ruleId, change }, context);
    return this.view(ruleId, context);
  }

  async delete({ Identifier: ruleId }: rbin.DeleteRuleRequest, context: RequestContext): Promise<Nothing> {
    await this.own(ruleId, context);
    await this.change({ type: 'DeleteRule', ruleId }, context);
    return {};
  }

  async lock(input: rbin.LockRuleRequest, context: RequestContext): Promise<rbin.LockRuleResponse> {
    const { Identifier: ruleId, LockConfiguration } = input;
    await this.own(ruleId, context);
    const unlockDelayDays = LockConfiguration.UnlockDelay.UnlockDelayValue;
    await this.change({ type: 'LockRule', ruleId, unlockDelayDays }, context);
    return this.view(ruleId, context);
  }

  async unlock({ Identifier: ruleId }: rbin.UnlockRuleRequest, context: RequestContext) {
    await this.own(ruleId, context);
    await this.change({ type: 'UnlockRule', ruleId }, context);
    return this.view(ruleId, context);
  }

  async tag({ ResourceArn, Tags }: rbin.TagResourceRequest, context: RequestContext): Promise<Nothing> {
    const { ruleId } = await this.ofArn(ResourceArn, context);
    await this.change({ type: 'TagRule', ruleId, tags: checkedTags(Tags) }, context);
    return {};
  }

  async untag({ ResourceArn, TagKeys }: rbin.UntagResourceRequest, context: RequestContext): Promise<Nothing> {
    const { ruleId } = await this.ofArn(ResourceArn, context);
    await this.change({ type: 'UntagRule', ruleId, keys: TagKeys }, context);
    return {};
  }

  async tags({ ResourceArn }: rbin.ListTagsForResourceRequest, context: RequestContext) {
    return { Tags: tagList((await this.ofArn(ResourceArn, context)).tags) };
  }

  /** For whoever deletes something that may be kept. */
  async retention({ resourceType, tags }: Internal['GetRetention']['in'], context: RequestContext) {
    const rules = await this.rules.ofType(resourceType, context);
    return { days: retentionOf(rules.map(({ rule }) => rule.terms), { type: resourceType, tags }) }; // prettier-ignore
  }

  /** For whoever holds policies against a rule. */
  async facts(
    { ruleId }: Internal['GetRuleFacts']['in'],
    context: RequestContext,
  ): Promise<Internal['GetRuleFacts']['out']> {
    const rule = await this.rules.load(ruleId);
    if (rule?.accountId !== context.accountId || rule.region !== context.region) return null;
    return { resourceType: rule.terms.resourceType, tags: { ...rule.tags } };
  }

  private position(scope: Parameters<PageTokens['read']>[0], token: string): string {
    try {
      return this.tokens.read(scope, token);
    } catch {
      throw rbinInvalid('The page token is not valid.', 'INVALID_PAGE_TOKEN');
    }
  }

  private async change(command: Change, context: RequestContext): Promise<void> {
    await this.rules.handle({ ...command, at: this.clock.instant() }, { caller: callerOf(context) });
  }

  private async own(ruleId: string, { accountId, region }: RequestContext): Promise<Rule> {
    const rule = await this.rules.load(ruleId);
    if (rule?.accountId !== accountId || rule.region !== region) throw ruleNotFound(ruleId);
    return rule;
  }

  private async ofArn(arn: string, context: RequestContext): Promise<Rule> {
    const [, , , region, account, resource = ''] = arn.split(':');
    const ruleId = resource.replace(/^rule\//, '');
    if (region !== context.region || account !== context.accountId) throw ruleNotFound(ruleId);
    return this.own(ruleId, context);
  }

  private async view(ruleId: string, context: RequestContext) {
    return viewOf(await this.own(ruleId, context), this.clock.instant());
  }
}

const RESOURCE_TYPES: readonly string[] = ['EBS_SNAPSHOT', 'EC2_IMAGE', 'EBS_VOLUME'] satisfies ResourceType[];
const isResourceType = (text: string): text is ResourceType => RESOURCE_TYPES.includes(text);

type Commands = Parameters<RuleStore['handle']>[0];
type Change = Commands extends infer Each ? (Each extends Commands ? Omit<Each, 'at'> : never) : never;

const resourceTags = (tags: readonly rbin.ResourceTag[] = []): ResourceTag[] =>
  tags.map(({ ResourceTagKey: key, ResourceTagValue: value = null }) => ({ key, value }));

const wireTags = (tags: readonly ResourceTag[]): rbin.ResourceTag[] =>
  tags.map(({ key, value }) => (value === null ? { ResourceTagKey: key } : { ResourceTagKey: key, ResourceTagValue: value })); // prettier-ignore

const names = (tags: readonly ResourceTag[], { key, value }: ResourceTag): boolean =>
  tags.some((tag) => tag.key === key && (value === null || tag.value === value));

const checkedTags = (tags: readonly rbin.Tag[]): Record<string, string> => {
  if (tags.some(({ Key }) => Key.toLowerCase().startsWith('aws:')))
    throw rbinInvalid('Tag keys must not begin with aws:.');
  return Object.fromEntries(tags.map(({ Key, Value }) => [Key, Value]));
};

const viewOf = (rule: Rule, now: string) => {
  const { ruleId, accountId, region, terms, lock } = rule;
  const lockState = ruleLockState(rule, now as Parameters<typeof ruleLockState>[1]);
  const delay = lock === null || lockState === 'unlocked' ? null : lock.unlockDelayDays;
  return {
    Identifier: ruleId,
    Description: terms.description,
    ResourceType: terms.resourceType,
    RetentionPeriod: { RetentionPeriodValue: terms.retentionDays, RetentionPeriodUnit: 'DAYS' as const },
    ResourceTags: wireTags(terms.resourceTags),
    ExcludeResourceTags: wireTags(terms.excludeResourceTags),
    Status: 'available' as const,
    LockState: lock === null ? undefined : lockState,
    LockConfiguration:
      delay === null ? undefined : { UnlockDelay: { UnlockDelayValue: delay, UnlockDelayUnit: 'DAYS' as const } },
    LockEndTime: lockState === 'pending_unlock' ? (lock?.unlocksAt ?? undefined) : undefined,
    RuleArn: `arn:aws:rbin:${region}:${accountId}:rule/${ruleId}`,
  };
};
