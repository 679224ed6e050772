import type { CompiledPolicy } from './compile-policy.ts';
import type { Decision, GrantTrail, PolicySide, Reason, StatementTrail, TrailEntry } from './decision.ts';
import { type Grant, matchGrant, matchRetirableGrant } from './grants.ts';
import { matchStatement } from './match-statement.ts';
import type { IdentityKind, ResourceKind } from './policy.ts';
import type { Reach } from './principal.ts';
import { type AccessRequest, RequestValues } from './request.ts';

export interface AccessQuestion {
  readonly request: AccessRequest;
  /** All that apply: the user's or role's own, and those of the user's groups. */
  readonly identityPolicies: readonly CompiledPolicy<IdentityKind>[];
  readonly permissionsBoundary?: CompiledPolicy<IdentityKind> | null;
  /** Undefined: the session is not limited. An empty list limits it to nothing, as GetFederationToken without policies does. */
  readonly sessionPolicies?: readonly CompiledPolicy<IdentityKind>[];
  /**
   * Null: the resource has none. `not-asked`: what the identity-based policies say by themselves, for
   * iam:SimulatePrincipalPolicy without a resource policy and for tags of a key that is yet to be made; never to enforce
   * anything on what there is.
   */
  readonly resourcePolicy?: CompiledPolicy<ResourceKind> | 'not-asked' | null;
  /** On the key in question: at least all that name the principal for this operation; others do no harm. */
  readonly grants?: readonly Grant[];
  /** Null: the resource has no account (`*`, public images), or its owner decides by other means (shared snapshots). */
  readonly resourceAccount: string | null;
}

/**
 * Operations that KMS offers on keys of other accounts, as IAM actions in lower case.
 * @see KMS developer guide, Allowing users in other accounts to use a KMS key
 */
const CROSS_ACCOUNT_KMS: ReadonlySet<string> = new Set(
  [
    ...['DescribeKey', 'Encrypt', 'Decrypt', 'ReEncryptFrom', 'ReEncryptTo', 'GenerateDataKey', 'GetPublicKey'],
    ...['GenerateDataKeyWithoutPlaintext', 'GenerateDataKeyPair', 'GenerateDataKeyPairWithoutPlaintext', 'Sign'],
    ...['Verify', 'GenerateMac', 'VerifyMac', 'CreateGrant', 'ListGrants', 'RetireGrant', 'RevokeGrant'],
    ...['GetKeyRotationStatus', 'DeriveSharedSecret'],
  ].map((operation) => `kms:${operation.toLowerCase()}`),
);

const RETIRE_GRANT = 'kms:retiregrant';

interface Permission {
  readonly reach: Reach;
  readonly entry: TrailEntry;
}

/** The answer of one side: the statement that allows furthest, if one does. Denials are in the trail. */
type SideAnswer = Permission | null;

const further = (a: SideAnswer, b: SideAnswer): SideAnswer => {
  if (a === null || b === null) return a ?? b;
  const order: Record<Reach, number> = { account: 1, underlying: 2, direct: 3 };
  return order[b.reach] > order[a.reach] ? b : a;
};

/** One evaluation: walks the policies side by side, and keeps the trail. */
class Evaluation {
  readonly trail: TrailEntry[] = [];
  deny: StatementTrail | null = null;
  private readonly values: RequestValues;
  private readonly action: string;

  constructor(private readonly question: AccessQuestion) {
    this.values = new RequestValues(question.request, question.resourceAccount);
    this.action = question.request.action.toLowerCase();
  }

  policies(side: PolicySide, policies: readonly CompiledPolicy[]): SideAnswer {
    let answer: SideAnswer = null;
    for (let index = 0; index < policies.length; index += 1) {
      const policy = policies[index];
      if (policy !== undefined) answer = further(answer, this.policy(side, policy, index));
    }
    return answer;
  }

  grants(grants: readonly Grant[]): SideAnswer {
    const match = this.action === RETIRE_GRANT ? matchRetirableGrant : matchGrant;
    let answer: SideAnswer = null;
    for (const grant of grants) {
      const found = match(grant, this.question.request);
      const reach = 'reach' in found ? found.reach : null;
      const failed = 'failed' in found ? found.failed : null;
      const entry: GrantTrail = { source: 'grant', grantId: grant.grantId, matched: failed === null, reach, failed };
      this.trail.push(entry);
      if (reach !== null) answer = further(answer, { reach, entry });
    }
    return answer;
  }

  private policy(side: PolicySide, { kind, name, statements }: CompiledPolicy, policyIndex: number): SideAnswer {
    let answer: SideAnswer = null;
    for (let statementIndex = 0; statementIndex < statements.length; statementIndex += 1) {
      const statement = statements[statementIndex];
      if (statement === undefined) continue;
      const { sid, effect } = statement;
      const found = matchStatement(statement, kind, this.action, this.values);
      const mute = found.failed === null && effect === 'Allow' && kind === 'key' && this.action === RETIRE_GRANT;
      const failed = mute ? ({ element: 'RetireGrant' } as const) : found.failed;
      const matched = failed === null;
      const reach = matched && effect === 'Allow' ? found.reach : null;
      const entry: StatementTrail = { source: 'statement', side, policyIndex, policyName: name, statementIndex, sid, effect, matched, reach, failed }; // prettier-ignore
      this.trail.push(entry);
      if (matched && effect === 'Deny') this.deny ??= entry;
      if (matched && effect === 'Allow') answer = further(answer, { reach: reach ?? 'direct', entry });
    }
    return answer;
  }
}

interface Answers {
  /** Of the resource's policy and grants. */
  readonly resource: SideAnswer;
  readonly identity: SideAnswer;
  readonly boundary: boolean;
  readonly session: boolean;
}

/** Keys and roles decide themselves whom identity-based policies may admit; without their policy nobody is. */
const resourceMustAllow = ({ request, resourcePolicy }: AccessQuestion): boolean => {
  if (typeof resourcePolicy === 'object' && (resourcePolicy?.kind === 'key' || resourcePolicy?.kind === 'trust'))
    return true;
  const { action, resource } = request;
  return /^kms:/i.test(action) ? /^arn:[^:]*:kms:[^:]*:[^:]*:key\//.test(resource) : /^sts:assumerole/i.test(action);
};

const limitsLacking = ({ boundary, session }: Answers): PolicySide[] => [
  ...(boundary ? [] : (['boundary'] as const)),
  ...(session ? [] : (['session'] as const)),
];

/**
 * The sides that would still have to allow. Empty: they all do.
 * @see IAM user guide, Policy evaluation logic; KMS developer guide, Troubleshooting key access
 */
const lackingSides = (question: AccessQuestion, answers: Answers): PolicySide[] => {
  const { request, resourceAccount, resourcePolicy } = question;
  const { principal } = request;
  const { resource, identity } = answers;
  const limits = limitsLacking(answers);
  const caller: PolicySide[] = [...(identity === null ? (['identity'] as const) : []), ...limits];
  if (resourcePolicy === 'not-asked') return caller;
  if (principal.kind === 'service') return resource === null ? ['resource'] : [];
  // Who may retire a grant follows from the grant, whatever account its key is in.
  const isForeign = resourceAccount !== null && resourceAccount !== principal.accountId;
  const bothSides = isForeign && request.action.toLowerCase() !== RETIRE_GRANT;
  if (bothSides) return resource === null ? ['resource', ...caller] : caller;
  if (resource?.reach === 'direct') return [];
  if (resource?.reach === 'underlying') return limits;
  if (resource !== null || !resourceMustAllow(question)) return caller;
  // A statement for the principal itself is what is missing; to a role it is still cut by the role's limits.
  return principal.kind === 'role-session' ? ['resource', ...limits] : ['resource'];
};

/** KMS offers the operation only to callers of the key's own account, or they are that. */
const isOffered = ({ request, resourceAccount }: AccessQuestion): boolean => {
  const { principal, action } = request;
  if (resourceAccount === null || principal.accountId === null || resourceAccount === principal.accountId) return true;
  return !/^kms:/i.test(action) || CROSS_ACCOUNT_KMS.has(action.toLowerCase());
};

/** What let the request pass, once nothing is lacking. */
const allowedBy = ({
  resource,
  identity,
}: Answers): { entry: TrailEntry | null; by: Extract<Reason, { kind: 'allowed' }>['by'] } => {
  const decided = resource !== null && (resource.reach !== 'account' || identity === null) ? resource : identity;
  const entry = decided?.entry ?? null;
  if (entry?.source === 'rule') return { entry, by: 'root-user' };
  return { entry, by: entry?.source === 'grant' ? 'grant' : (entry?.side ?? 'identity') };
};

const identityAnswer = (evaluation: Evaluation, { request, identityPolicies }: AccessQuestion): SideAnswer => {
  const answer = evaluation.policies('identity', identityPolicies);
  if (request.principal.kind !== 'root') return answer;
  const entry = { source: 'rule', rule: 'root-user', matched: true } as const;
  evaluation.trail.push(entry);
  return answer ?? { reach: 'direct', entry };
};

/**
 * May this principal do this? Denies unless every side that has a say allows and none denies. Looks at everything, so that
 * the trail is whole, and reads no clock.
 */
export const evaluate = (question: AccessQuestion): Decision => {
  const { request, resourcePolicy, grants, permissionsBoundary, sessionPolicies, resourceAccount } = question;
  const evaluation = new Evaluation(question);
  const isPolicy = typeof resourcePolicy === 'object' && resourcePolicy !== null;
  const fromPolicy = isPolicy ? evaluation.policies('resource', [resourcePolicy]) : null;
  const resource = further(fromPolicy, grants === undefined ? null : evaluation.grants(grants));
  const identity = identityAnswer(evaluation, question);
  const boundary = !permissionsBoundary || evaluation.policies('boundary', [permissionsBoundary]) !== null;
  const session = sessionPolicies === undefined || evaluation.policies('session', sessionPolicies) !== null;
  const answers = { resource, identity, boundary, session };
  const { trail, deny } = evaluation;
  const lacking = lackingSides(question, answers);
  const barrier = isOffered(question) ? null : ({ source: 'rule', rule: 'own-account-only', matched: true } as const);
  if (barrier !== null) trail.push(barrier);
  const common = { request, resourceAccount, trail, lacking };
  if (deny !== null) {
    const reason = { kind: 'explicit-deny', in: deny.side } as const;
    return { ...common, allowed: false, explicitDeny: true, reason, deciding: deny };
  }
  if (barrier !== null) {
    const reason = { kind: 'implicit-deny', missing: 'resource' } as const;
    return { ...common, allowed: false, explicitDeny: false, reason, deciding: barrier };
  }
  const [missing] = lacking;
  if (missing !== undefined) {
    return {
      ...common,
      allowed: false,
      explicitDeny: false,
      reason: { kind: 'implicit-deny', missing },
      deciding: null,
    };
  }
  const { entry, by } = allowedBy(answers);
  return { ...common, allowed: true, explicitDeny: false, reason: { kind: 'allowed', by }, deciding: entry };
};

/** What differs from resource to resource of one call. */
export type Target = Pick<AccessRequest, 'resource'> &
  Partial<Pick<AccessRequest, 'action' | 'context'>> &
  Partial<Pick<AccessQuestion, 'resourcePolicy' | 'grants' | 'resourceAccount'>>;

export interface JointDecision {
  readonly allowed: boolean;
  /** The first that is denied; else the last. */
  readonly decision: Decision;
  readonly decisions: readonly Decision[];
}

/**
 * A call on several resources is allowed when each of them is: AttachVolume on the volume and the instance, CreateVolume with
 * tags also as ec2:CreateTags. `context` of a target is added to the request's.
 * @throws RangeError without targets: nothing asked is nothing allowed.
 */
export const evaluateEach = (question: AccessQuestion, targets: readonly Target[]): JointDecision => {
  const decisions = targets.map(({ resource, action, context, ...rest }) => {
    const { request } = question;
    const merged = { ...request.context, ...context };
    return evaluate({
      ...question,
      ...rest,
      request: { ...request, resource, action: action ?? request.action, context: merged },
    });
  });
  const decision = decisions.find(({ allowed }) => !allowed) ?? decisions.at(-1);
  if (decision === undefined) throw new RangeError('a call on no resource');
  return { allowed: decision.allowed, decision, decisions };
};
