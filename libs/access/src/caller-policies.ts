import type {
  Principal as CallerPrincipal,
  PrincipalPolicies,
  RequestContext,
  SourcedPolicy,
} from '@holdfast/contracts';
import { type CompiledPolicy, type IdentityKind, loadPolicy, type Principal, principalOf } from '@holdfast/iam';
import type { Requests } from '@holdfast/messaging';

/** What a caller's identity brings to a decision, ready to be evaluated. */
export interface CallerPolicies {
  readonly principal: Principal;
  readonly identityPolicies: readonly CompiledPolicy<IdentityKind>[];
  readonly permissionsBoundary: CompiledPolicy<IdentityKind> | null;
  /** Undefined: not limited by a session. */
  readonly sessionPolicies: readonly CompiledPolicy<IdentityKind>[] | undefined;
}

interface Entry {
  version: string;
  policies: CallerPolicies;
  /** Milliseconds of a monotonic clock. */
  askedAt: number;
}

/** A change to policies takes effect everywhere within a second. */
const FRESH_MS = 1000;
/** Callers whose policies are kept; the one unused for longest goes first. */
const MAX_CALLERS = 4096;

/**
 * Policies of callers, asked of `identity` and kept for a second; after that only whether they changed is asked. Root users
 * and services have none and are not asked about.
 */
export class CallerPoliciesCache {
  private readonly entries = new Map<string, Entry>();

  constructor(
    private readonly requests: Requests,
    private readonly monotonicMs: () => number = () => performance.now(),
  ) {}

  /** Null: the user, role or session is no more, and nothing is allowed to it. */
  async of(context: RequestContext): Promise<CallerPolicies | null> {
    const caller = context.principal;
    if (caller.type === 'Root' || caller.type === 'AWSService') return withoutPolicies(caller);
    const key = JSON.stringify([caller.arn, caller.principalId, caller.accessKeyId ?? '']);
    const known = this.entries.get(key);
    const askedAt = this.monotonicMs();
    if (known && askedAt - known.askedAt < FRESH_MS) return this.keep(key, known);
    const input = { principal: caller, ...(known ? { ifNoneMatch: known.version } : {}) };
    const answer = await this.requests.call('identity', 'GetPrincipalPolicies', input, context);
    if (answer === null) {
      this.entries.delete(key);
      return null;
    }
    const { version } = answer;
    if (!answer.notModified) return this.keep(key, { version, policies: compiled(caller, answer.policies), askedAt });
    if (known === undefined) throw new Error('identity said that policies it never gave are unchanged');
    return this.keep(key, { version, policies: known.policies, askedAt });
  }

  /** Forgets everything, e.g. after a development reset. */
  clear(): void {
    this.entries.clear();
  }

  private keep(key: string, entry: Entry): CallerPolicies {
    this.entries.delete(key);
    this.entries.set(key, entry);
    if (this.entries.size > MAX_CALLERS) {
      const [oldest] = this.entries.keys();
      if (oldest !== undefined) this.entries.delete(oldest);
    }
    return entry.policies;
  }
}

const withoutPolicies = (caller: CallerPrincipal): CallerPolicies => ({
  principal: principalOf(caller),
  identityPolicies: [],
  permissionsBoundary: null,
  sessionPolicies: undefined,
});

const load =
  (kind: IdentityKind) =>
  ({ document, sourceId }: SourcedPolicy) =>
    loadPolicy(document, kind, sourceId);

const compiled = (caller: CallerPrincipal, policies: PrincipalPolicies): CallerPolicies => ({
  principal: principalOf(caller, policies.principalTags),
  identityPolicies: policies.identityPolicies.map(load('identity')),
  permissionsBoundary: policies.permissionsBoundary ? load('boundary')(policies.permissionsBoundary) : null,
  sessionPolicies: policies.sessionPolicies?.map(load('session')),
});
