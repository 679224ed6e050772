import type { NewGrant } from './grants.ts';
import type { Principal } from './principal.ts';

/** Lists are the values of a multivalued key; an empty one is an absent key. Dates are ISO 8601 or epoch seconds. */
export type ContextValue = string | number | boolean | readonly string[];
/** By condition key; case of names does not matter. */
export type ConditionContext = Readonly<Record<string, ContextValue | undefined>>;

export interface KmsDetails {
  /** Of a cryptographic operation with a symmetric key. */
  readonly encryptionContext?: Readonly<Record<string, string>>;
  /** Of CreateGrant. */
  readonly newGrant?: NewGrant;
}

/**
 * One action on one resource. What the engine knows from these members (aws:PrincipalArn, kms:ViaService, …) `context`
 * cannot override.
 */
export interface AccessRequest {
  readonly principal: Principal;
  /** `kms:Decrypt`. */
  readonly action: string;
  /** An ARN, or `*` for an action without resource-level permissions. */
  readonly resource: string;
  readonly region: string;
  readonly at: Date;
  readonly sourceIp?: string;
  readonly userAgent?: string;
  readonly secureTransport?: boolean;
  /** `ec2.<region>.amazonaws.com` when that service calls on the principal's behalf. */
  readonly viaService?: string;
  readonly kms?: KmsDetails;
  readonly context?: ConditionContext;
  /** Wins over everything: only for simulations, whose caller makes the context up. */
  readonly simulatedContext?: ConditionContext;
}

const IDENTITY_KINDS = {
  root: 'Account',
  user: 'User',
  'role-session': 'AssumedRole',
  'federated-user': 'FederatedUser',
};

const GRANT_ACTIONS: ReadonlySet<string> = new Set(['kms:creategrant', 'kms:listgrants', 'kms:revokegrant']);

const isKms = ({ action }: AccessRequest): boolean => action.slice(0, 4).toLowerCase() === 'kms:';

const constraintPairs = (grant: NewGrant | undefined): Readonly<Record<string, string>> | undefined => {
  const { EncryptionContextSubset: subset, EncryptionContextEquals: equals } = grant?.constraints ?? {};
  return subset === undefined && equals === undefined ? undefined : { ...subset, ...equals };
};

/** For CreateGrant it is the constraint's. */
const encryptionContextOf = ({ kms }: AccessRequest): Readonly<Record<string, string>> | undefined =>
  kms?.newGrant === undefined ? kms?.encryptionContext : constraintPairs(kms.newGrant);

type Derived = (request: AccessRequest) => ContextValue | undefined;

/** Keys that follow from the request, by lower-case name. */
const DERIVED: ReadonlyMap<string, Derived> = new Map<string, Derived>([
  ['aws:principalarn', ({ principal }) => (principal.kind === 'role-session' ? principal.roleArn : principal.arn)],
  ['aws:principalaccount', ({ principal }) => principal.accountId ?? undefined],
  ['aws:principaltype', ({ principal: { kind } }) => (kind === 'service' ? undefined : IDENTITY_KINDS[kind])],
  ['aws:principalisawsservice', ({ principal }) => principal.kind === 'service'],
  ['aws:principalservicename', ({ principal }) => (principal.kind === 'service' ? principal.arn : undefined)],
  ['aws:userid', ({ principal }) => (principal.kind === 'service' ? undefined : principal.id)],
  ['aws:sourceidentity', ({ principal }) => (principal.kind === 'role-session' ? principal.sourceIdentity : undefined)],
  ['aws:username', ({ principal }) => (principal.kind === 'user' ? principal.name : undefined)],
  // A service calls from its own network: the user's address is not there to be tested.
  ['aws:sourceip', ({ sourceIp, viaService }) => (viaService === undefined ? sourceIp : undefined)],
  ['aws:currenttime', ({ at }) => at.toISOString()],
  ['aws:epochtime', ({ at }) => Math.floor(at.getTime() / 1000)],
  ['aws:useragent', ({ userAgent }) => userAgent],
  ['aws:securetransport', ({ secureTransport }) => secureTransport],
  ['aws:requestedregion', ({ region }) => region],
  ['aws:viaawsservice', ({ viaService }) => viaService !== undefined],
  ['kms:viaservice', (request) => (isKms(request) ? request.viaService : undefined)],
  ['kms:calleraccount', (request) => (isKms(request) ? (request.principal.accountId ?? undefined) : undefined)],
  [
    'kms:grantisforawsresource',
    ({ action, viaService }) => (GRANT_ACTIONS.has(action.toLowerCase()) ? viaService !== undefined : undefined),
  ],
  ['kms:encryptioncontextkeys', (request) => Object.keys(encryptionContextOf(request) ?? {})],
  ['kms:granteeprincipal', ({ kms }) => kms?.newGrant?.granteePrincipal],
  ['kms:retiringprincipal', ({ kms }) => kms?.newGrant?.retiringPrincipal ?? undefined],
  ['kms:grantoperations', ({ kms }) => kms?.newGrant?.operations],
  ['kms:grantconstrainttype', ({ kms }) => Object.keys(kms?.newGrant?.constraints ?? {})],
]);

const textsOf = (value: ContextValue | undefined): readonly string[] | undefined => {
  if (value === undefined) return undefined;
  if (typeof value === 'string') return [value];
  if (typeof value === 'number' || typeof value === 'boolean') return [String(value)];
  return value.length === 0 ? undefined : value;
};

/** Names without regard to case; two that differ in nothing else hold both values. */
const byLowerCase = (context: ConditionContext, prefix = ''): Map<string, readonly string[]> => {
  const found = new Map<string, readonly string[]>();
  for (const [name, value] of Object.entries(context)) {
    const texts = textsOf(value);
    if (texts === undefined) continue;
    const key = prefix + name.toLowerCase();
    const before = found.get(key);
    found.set(key, before === undefined ? texts : [...before, ...texts]);
  }
  return found;
};

const PRINCIPAL_TAG = 'aws:principaltag/';
const ENCRYPTION_CONTEXT = 'kms:encryptioncontext:';

/** The values of condition keys in one request, made when first asked for. */
export class RequestValues {
  private tags: Map<string, readonly string[]> | null = null;
  private pairs: Map<string, readonly string[]> | null = null;
  private given: Map<string, readonly string[]> | null = null;
  private simulated: Map<string, readonly string[]> | null = null;

  constructor(
    readonly request: AccessRequest,
    readonly resourceAccount: string | null,
  ) {}

  /** @param key in lower case. Undefined: the request has no such key. */
  readonly of = (key: string): readonly string[] | undefined => {
    const { simulatedContext } = this.request;
    if (simulatedContext !== undefined) {
      const value = (this.simulated ??= byLowerCase(simulatedContext)).get(key);
      if (value !== undefined) return value;
    }
    const derived = DERIVED.get(key);
    if (derived !== undefined) return textsOf(derived(this.request));
    if (key.startsWith(PRINCIPAL_TAG)) return this.principalTags().get(key);
    if (key.startsWith(ENCRYPTION_CONTEXT)) return this.encryptionContext().get(key);
    if (key === 'aws:resourceaccount' && this.resourceAccount !== null) return [this.resourceAccount];
    return this.contextValues().get(key);
  };

  /** For policy variables, which only keys with one value can fill. */
  readonly single = (key: string): string | undefined => {
    const values = this.of(key);
    return values?.length === 1 ? values[0] : undefined;
  };

  /** Every key that the request has, by its name in lower case. */
  all(): [key: string, values: readonly string[]][] {
    const keys = new Set([
      ...DERIVED.keys(),
      'aws:resourceaccount',
      ...this.principalTags().keys(),
      ...this.encryptionContext().keys(),
      ...this.contextValues().keys(),
      ...byLowerCase(this.request.simulatedContext ?? {}).keys(),
    ]);
    return [...keys].flatMap((key): [string, readonly string[]][] => {
      const values = this.of(key);
      return values === undefined ? [] : [[key, values]];
    });
  }

  private principalTags(): Map<string, readonly string[]> {
    const { principal } = this.request;
    const tags = 'tags' in principal ? principal.tags : {};
    return (this.tags ??= byLowerCase(tags, PRINCIPAL_TAG));
  }

  private encryptionContext(): Map<string, readonly string[]> {
    return (this.pairs ??= byLowerCase(encryptionContextOf(this.request) ?? {}, ENCRYPTION_CONTEXT));
  }

  private contextValues(): Map<string, readonly string[]> {
    return (this.given ??= byLowerCase(this.request.context ?? {}));
  }
}
