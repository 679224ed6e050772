import type { RequestContext } from '@holdfast/contracts';
import { type ConditionContext, type Grant, kmsForeignDenialMessage, type NewGrant } from '@holdfast/iam';
import {
  type AccessRequest,
  authorize,
  type CallerPolicies,
  type Decision,
  goneDenial,
  granteeNames,
  grantsMatterTo,
  hasIdentity,
  mentionsAliases,
  withoutPolicies,
} from '../domain/access.ts';
import { refuse } from '../domain/errors.ts';
import { trailingDaysWithoutUse } from '../domain/key-last-use.ts';
import { type KeyOperation, requireState } from '../domain/key-state.ts';
import { requireEligible } from '../domain/key.decider.ts';
import {
  aliasArnOf,
  EBS_ALIAS,
  keyArnOf,
  type KeyReference,
  parseKeyReference,
  referenceArn,
} from '../domain/names.ts';
import { ensureEbsKey } from './ensure-ebs-key.ts';
import type { Kms, KeyRecord } from './ports.ts';

/** A key as a request named it. */
export interface ResolvedKey extends KeyRecord {
  /** The alias that the request used: kms:RequestAlias. */
  readonly requestAlias?: string;
}

const lookUp = async (kms: Kms, reference: KeyReference, context: RequestContext): Promise<ResolvedKey | null> => {
  if (reference.kind === 'key') {
    const key = await kms.keys.find(reference.keyId, reference.region);
    return key?.accountId === reference.accountId ? key : null;
  }
  const { aliasName } = reference;
  const found = await kms.keys.findByAlias(reference, aliasName);
  const isOwnEbsKey = aliasName === EBS_ALIAS && reference.accountId === context.accountId;
  const key = found ?? (isOwnEbsKey ? await ensureEbsKey(kms, context) : null);
  return key && { ...key, requestAlias: aliasName };
};

export interface KeyLookup {
  /** IAM's action without `kms:`, for the refusal when another account's key does not exist. */
  readonly action: string;
  /** Whether the operation takes alias names and ARNs. */
  readonly aliases: boolean;
}

/**
 * Finds the key that a KeyId parameter names. `alias/aws/ebs` makes the caller's EBS key on first need.
 * @throws DomainError InvalidKeyId | InvalidArn | KeyNotFound | AliasNotFound | AccessDenied (other accounts' absent keys)
 */
export const resolveKey = async (
  kms: Kms,
  keyId: string,
  context: RequestContext,
  { action, aliases }: KeyLookup,
): Promise<ResolvedKey> => {
  const reference = parseKeyReference(keyId, context, aliases);
  const key = await lookUp(kms, reference, context);
  if (key !== null) return key;
  const arn = referenceArn(reference);
  if (reference.accountId !== context.accountId) {
    const denied = { principalArn: context.principal.arn, action: `kms:${action}`, resource: arn };
    return refuse('AccessDenied', { message: kmsForeignDenialMessage(denied) });
  }
  return reference.kind === 'alias' ? refuse('AliasNotFound', { aliasArn: arn }) : refuse('KeyNotFound', { arn });
};

/** What the operation's parameters say to policies and grants. */
export interface AccessDetails {
  readonly encryptionContext?: Readonly<Record<string, string>>;
  readonly newGrant?: NewGrant;
  readonly conditions?: ConditionContext;
}

/** @throws DomainError AccessDenied to a user, role or session that is no more */
const callerOf = async (
  kms: Kms,
  action: string,
  key: KeyRecord | null,
  context: RequestContext,
): Promise<CallerPolicies> => {
  const { principal } = context;
  if (!hasIdentity(principal)) return withoutPolicies(principal);
  const caller = await kms.callers.of(context);
  return caller ?? refuse('AccessDenied', { message: goneDenial(principal, action, key?.arn ?? '*') });
};

/** The actions that the condition key is documented for. */
const ASKS_ABOUT_USE: ReadonlySet<string> = new Set(['DisableKey', 'ScheduleKeyDeletion']);

const idleDays = async (kms: Kms, key: KeyRecord): Promise<ConditionContext> => {
  const days = trailingDaysWithoutUse(kms.clock.instant(), await kms.lastUses.of(key), key.createdAt);
  return { 'kms:TrailingDaysWithoutKeyUsage': days };
};

/** The question for the policy engine, with the values of all condition keys. */
export const accessRequest = async (
  kms: Kms,
  action: string,
  key: ResolvedKey | null,
  context: RequestContext,
  { encryptionContext, newGrant, conditions }: AccessDetails = {},
): Promise<AccessRequest> => {
  const caller = await callerOf(kms, action, key, context);
  const idle = ASKS_ABOUT_USE.has(action) && key !== null ? await idleDays(kms, key) : {};
  const aliased =
    key !== null && mentionsAliases(key, caller)
      ? { 'kms:ResourceAliases': (await kms.aliases.ofKey(key)).map(({ aliasName }) => aliasName) }
      : {};
  return {
    action,
    context,
    at: kms.clock.instant(),
    caller,
    key,
    details: { ...(encryptionContext && { encryptionContext }), ...(newGrant && { newGrant }) },
    conditions: {
      ...aliased,
      ...idle,
      ...(key?.requestAlias === undefined ? {} : { 'kms:RequestAlias': key.requestAlias }),
      ...conditions,
    },
  };
};

const decide = (kms: Kms, request: AccessRequest, grants: readonly Grant[]): string | null =>
  conclude(kms, authorize(request, grants));

const conclude = ({ considered }: Kms, decision: Decision): string | null => {
  considered.decided(decision.because);
  return decision.allowed ? decision.grantId : refuse('AccessDenied', { message: decision.message });
};

/**
 * @returns the grant that allows it; null when a policy does.
 * @throws DomainError AccessDenied
 */
export const requireAccess = async (
  kms: Kms,
  action: string,
  key: ResolvedKey | null,
  context: RequestContext,
  details: AccessDetails = {},
): Promise<string | null> => {
  const request = await accessRequest(kms, action, key, context, details);
  if (key !== null) kms.considered.found(key);
  if (key === null || !grantsMatterTo(action)) return decide(kms, request, []);
  const withoutGrants = authorize(request, []);
  if (withoutGrants.allowed) return conclude(kms, withoutGrants);
  const pairs = action === 'CreateGrant' ? null : (details.encryptionContext ?? null);
  return decide(kms, request, await kms.grants.applicable(key, granteeNames(context.principal), action, pairs));
};

/** Whether one grant, which may be of a principal that no policy mentions, lets the caller retire it. @throws DomainError AccessDenied */
export const requireRetirement = async (
  kms: Kms,
  key: ResolvedKey,
  grants: readonly Grant[],
  context: RequestContext,
): Promise<void> => {
  kms.considered.found(key);
  decide(kms, await accessRequest(kms, 'RetireGrant', key, context), grants);
};

/** Of operations on an alias, the half that is about the alias itself. @throws DomainError AccessDenied */
export const requireAliasAccess = async (
  kms: Kms,
  action: string,
  aliasName: string,
  key: KeyRecord,
  context: RequestContext,
): Promise<void> => {
  const request = await accessRequest(kms, action, key, context);
  decide(kms, { ...request, resource: aliasArnOf(context, aliasName) }, []);
};

/** Whoever makes a key with tags must be allowed to tag the account's keys. @throws DomainError AccessDenied */
export const requireTagging = async (
  kms: Kms,
  tags: readonly unknown[],
  conditions: ConditionContext,
  context: RequestContext,
): Promise<void> => {
  if (tags.length === 0) return;
  const request = await accessRequest(kms, 'TagResource', null, context, { conditions });
  decide(kms, { ...request, resource: keyArnOf(context, '*') }, []);
};

/** Resolves a key and checks access to it: the start of every operation on one key. */
export const openKey = async (
  kms: Kms,
  keyId: string,
  context: RequestContext,
  lookup: KeyLookup,
  details: AccessDetails = {},
): Promise<ResolvedKey> => {
  const key = await resolveKey(kms, keyId, context, lookup);
  await requireAccess(kms, lookup.action, key, context, details);
  return key;
};

/** The same for operations that take key ids and ARNs only, and depend on the key's kind and state. */
export const openKeyFor = async (
  kms: Kms,
  operation: KeyOperation,
  keyId: string,
  context: RequestContext,
  details: AccessDetails = {},
): Promise<ResolvedKey> => {
  const key = await openKey(kms, keyId, context, { action: operation, aliases: false }, details);
  requireEligible(operation, key, key.arn);
  requireState(operation, key.state, key.arn);
  return key;
};

/** Grants are usable at once here, so a token adds nothing; a false one is refused all the same. */
export const checkGrantTokens = (kms: Kms, tokens: readonly string[] | undefined): void => {
  for (const token of tokens ?? []) kms.tokens.read(token);
};
