import type { Decision, PolicySide, StatementTrail } from './decision.ts';
import { lastingArn, type Principal } from './principal.ts';

/** A statement as a policy document has it. */
export interface StatementDocument {
  readonly Effect: 'Allow';
  readonly Principal?: { readonly AWS: string } | { readonly Service: string };
  readonly Action: string;
  readonly Resource?: string;
}

export type PolicyChange =
  | { readonly kind: 'add-statement'; readonly side: PolicySide; readonly statement: StatementDocument }
  /** Remove the denying statement, or except the caller from it. Positions are those of the trail. */
  | {
      readonly kind: 'remove-statement';
      readonly side: PolicySide;
      readonly policyIndex: number;
      readonly policyName: string | null;
      readonly statementIndex: number;
      readonly sid: string | null;
    };

export interface SmallestChange {
  /** All of them together allow the call. Empty: it is allowed already, or no policy can allow it. */
  readonly changes: readonly PolicyChange[];
  /** A statement that would have allowed, but for one condition: meeting that is the other way. */
  readonly nearest: StatementTrail | null;
  readonly sentence: string;
}

const NAMES: Record<PolicySide, string> = {
  identity: "the caller's identity-based policies",
  resource: "the resource's policy",
  boundary: 'the permissions boundary',
  session: 'the session policy',
};

const principalElement = (principal: Principal): StatementDocument['Principal'] =>
  principal.kind === 'service' ? { Service: principal.arn } : { AWS: lastingArn(principal) };

const statementFor = ({ request: { principal, action, resource } }: Decision, side: PolicySide): StatementDocument => {
  if (side !== 'resource') return { Effect: 'Allow', Action: action, Resource: resource };
  const named = { Effect: 'Allow', Principal: principalElement(principal), Action: action } as const;
  return /^sts:/i.test(action) ? named : { ...named, Resource: /^kms:/i.test(action) ? '*' : resource };
};

const removals = ({ trail }: Decision): PolicyChange[] =>
  trail.flatMap((entry): PolicyChange[] => {
    if (entry.source !== 'statement' || entry.effect !== 'Deny' || !entry.matched) return [];
    const { side, policyIndex, policyName, statementIndex, sid } = entry;
    return [{ kind: 'remove-statement', side, policyIndex, policyName, statementIndex, sid }];
  });

/** Why no change of a policy helps; null when one does. */
const beyondPolicies = ({ trail, request, resourceAccount, lacking }: Decision): string | null => {
  if (trail.some((entry) => entry.source === 'rule' && entry.rule === 'own-account-only')) {
    return `${request.action} works only on keys of the caller's own account: call it as a principal of ${String(resourceAccount)}.`;
  }
  if (request.action.toLowerCase() === 'kms:retiregrant' && lacking.includes('resource')) {
    return 'No policy can allow this: only the retiring principal, a grantee with RetireGrant, or the account that issued the grant may retire it.';
  }
  return null;
};

/** Of an Allow that is needed and fails at its conditions only; they are looked at last. */
const nearestAllow = ({ trail, lacking }: Decision): StatementTrail | null => {
  const near = trail.find(
    (entry) =>
      entry.source === 'statement' &&
      entry.effect === 'Allow' &&
      entry.failed?.element === 'Condition' &&
      lacking.includes(entry.side),
  );
  return near?.source === 'statement' ? near : null;
};

const titleOf = ({ statementIndex, sid }: { statementIndex: number; sid: string | null }): string =>
  sid === null || sid === '' ? `statement ${String(statementIndex)}` : `statement ${JSON.stringify(sid)}`;

const describeChange = (change: PolicyChange): string => {
  if (change.kind === 'add-statement') {
    return `add ${JSON.stringify(change.statement)} to ${NAMES[change.side]}`;
  }
  const where = change.policyName === null ? NAMES[change.side] : `${change.policyName} (${NAMES[change.side]})`;
  return `remove ${titleOf(change)}, which denies it, from ${where}, or except the caller from it`;
};

const describeNearest = (near: StatementTrail | null): string => {
  if (near?.failed?.element !== 'Condition') return '';
  const { operator, key, wanted, given } = near.failed;
  const has = given.length === 0 ? 'has none' : `has ${given.join(', ')}`;
  return ` Or meet the condition of ${titleOf(near)} of ${NAMES[near.side]}: ${operator} ${key} ${wanted.join(', ')} (the request ${has}).`;
};

/**
 * The fewest policy changes after which the call would be allowed: denying statements removed, and one statement added on
 * each side that does not allow yet.
 */
export const smallestChange = (decision: Decision): SmallestChange => {
  if (decision.allowed) return { changes: [], nearest: null, sentence: 'It is allowed already.' };
  const impossible = beyondPolicies(decision);
  if (impossible !== null) return { changes: [], nearest: null, sentence: impossible };
  const additions = decision.lacking.map((side): PolicyChange => ({
    kind: 'add-statement',
    side,
    statement: statementFor(decision, side),
  }));
  const changes = [...removals(decision), ...additions];
  const nearest = nearestAllow(decision);
  const steps = changes.map(describeChange).join('; and ');
  const sentence = `To allow ${decision.request.action}: ${steps}.${describeNearest(nearest)}`;
  return { changes, nearest, sentence };
};
