import { DuplicateMember, parseJson } from './json.ts';
import { parseConditions } from './parse-conditions.ts';
import { isRecord, malformed, type ParseScope, stringList, SYNTAX } from './parse-fault.ts';
import { NO_PRINCIPAL, parsePrincipals } from './parse-principals.ts';
import {
  type Effect,
  isResourceKind,
  MAX_KEY_POLICY_BYTES,
  MAX_POLICY_CHARACTERS,
  type PatternList,
  type Policy,
  POLICY_SIZE_LIMITS,
  PolicyError,
  type PolicyKind,
  policySize,
  type PolicyVersion,
  type PrincipalList,
  type Statement,
} from './policy.ts';

type Members = Readonly<Record<string, unknown>>;

const STATEMENT_MEMBERS: ReadonlySet<string> = new Set([
  ...['Sid', 'Effect', 'Principal', 'NotPrincipal', 'Action', 'NotAction', 'Resource', 'NotResource', 'Condition'],
]);

/** The element or its negation, whichever is there. @throws PolicyError when both are */
const either = (statement: Members, name: 'Action' | 'Principal' | 'Resource', path: string) => {
  const has = Object.hasOwn(statement, name);
  const hasNot = Object.hasOwn(statement, `Not${name}`);
  if (has && hasNot) malformed(SYNTAX, path, `has both ${name} and Not${name}`);
  if (!has && !hasNot) return null;
  const member = hasNot ? `Not${name}` : name;
  return { not: hasNot, value: statement[member], path: `${path}.${member}` };
};

const TRUST_ACTION = /^sts:(?:assumerole|tagsession|setsourceidentity|setcontext)/i;

const checkAction = (action: string, path: string, kind: PolicyKind): void => {
  if (kind === 'trust' && !TRUST_ACTION.test(action)) {
    malformed('AssumeRole policy may only specify STS AssumeRole actions.', path, `${JSON.stringify(action)} is none`);
  }
  if (action === '*') return;
  const [vendor = '', ...rest] = action.split(':');
  if (rest.length === 0) {
    const message = 'Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.';
    malformed(message, path, `${JSON.stringify(action)} has no vendor`);
  }
  if (rest.length > 1) malformed('Actions/Condition can contain only one colon.', path, JSON.stringify(action));
  if (!/^[a-zA-Z0-9.-]+$/.test(vendor)) malformed(`Vendor ${vendor} is not valid`, path, JSON.stringify(action));
};

const NO_ACTIONS = 'Policy statement must contain actions.';

const parseActions = (statement: Members, path: string, { kind }: ParseScope): PatternList => {
  const found = either(statement, 'Action', path);
  if (found === null) return malformed(NO_ACTIONS, path, 'has neither Action nor NotAction');
  const patterns = stringList(found.value, found.path);
  if (patterns.length === 0) malformed(NO_ACTIONS, found.path, 'is empty');
  for (const action of patterns) checkAction(action, found.path, kind);
  return { not: found.not, patterns };
};

const PARTITIONS: ReadonlySet<string> = new Set(['aws', 'aws-cn', 'aws-us-gov', '*']);

const checkResource = (resource: string, path: string): void => {
  if (resource === '*') return;
  const [scheme, partition = '', vendor = '', ...rest] = resource.split(':');
  if (scheme !== 'arn' || partition === '') {
    malformed(`Resource ${resource} must be in ARN format or "*".`, path, 'is no ARN');
  }
  if (!PARTITIONS.has(partition)) {
    malformed(`Partition "${partition}" is not valid for resource "${resource}".`, path, 'unknown partition');
  }
  if (vendor === '' || rest.length === 0) {
    malformed('Resource vendor must be fully qualified and cannot contain regexes.', path, JSON.stringify(resource));
  }
};

const NO_RESOURCES = 'Policy statement must contain resources.';

const parseResources = (statement: Members, path: string, { kind }: ParseScope): PatternList | null => {
  const found = either(statement, 'Resource', path);
  if (kind === 'trust') {
    return found === null ? null : malformed('Has prohibited field Resource', found.path, 'the resource is the role');
  }
  if (found === null)
    return kind === 'key' ? null : malformed(NO_RESOURCES, path, 'has neither Resource nor NotResource');
  const patterns = stringList(found.value, found.path);
  if (kind !== 'key') {
    if (patterns.length === 0) malformed(NO_RESOURCES, found.path, 'is empty');
    for (const resource of patterns) checkResource(resource, found.path);
  }
  return { not: found.not, patterns };
};

const statementPrincipals = (statement: Members, path: string, scope: ParseScope): PrincipalList | null => {
  const found = either(statement, 'Principal', path);
  if (!isResourceKind(scope.kind)) {
    if (found === null) return null;
    return malformed(
      'Policy document should not specify a principal.',
      found.path,
      'the principal is whom it is attached to',
    );
  }
  if (found === null) {
    return malformed(
      scope.kind === 'key' ? NO_PRINCIPAL : 'Missing required field Principal',
      path,
      'has no Principal',
    );
  }
  return parsePrincipals(found.value, found.not, found.path, scope);
};

const parseSid = (sid: unknown, path: string, { kind }: ParseScope): string | null => {
  if (sid === undefined) return null;
  if (typeof sid !== 'string') return malformed(SYNTAX, `${path}.Sid`, 'must be a string');
  if (!isResourceKind(kind) && !/^[0-9A-Za-z]*$/.test(sid)) {
    const message =
      'Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*';
    return malformed(message, `${path}.Sid`, JSON.stringify(sid));
  }
  return sid;
};

const parseEffect = (effect: unknown, path: string): Effect => {
  if (effect === undefined) return malformed('Missing required field Effect', path, 'has no Effect');
  if (effect === 'Allow' || effect === 'Deny') return effect;
  return malformed(SYNTAX, `${path}.Effect`, 'must be "Allow" or "Deny"');
};

const parseStatement = (value: unknown, path: string, scope: ParseScope): Statement => {
  if (!isRecord(value)) return malformed(SYNTAX, path, 'must be an object');
  const unknown = Object.keys(value).find((name) => !STATEMENT_MEMBERS.has(name));
  if (unknown !== undefined) return malformed(SYNTAX, `${path}.${unknown}`, 'unknown element');
  const conditions = Object.hasOwn(value, 'Condition') ? value.Condition : {};
  return {
    sid: parseSid(value.Sid, path, scope),
    effect: parseEffect(value.Effect, path),
    principals: statementPrincipals(value, path, scope),
    actions: parseActions(value, path, scope),
    resources: parseResources(value, path, scope),
    conditions: parseConditions(conditions, `${path}.Condition`, scope),
  };
};

const parseVersion = (version: unknown, { kind }: ParseScope): PolicyVersion => {
  if (version !== undefined && version !== '2008-10-17' && version !== '2012-10-17') {
    return malformed(SYNTAX, 'Version', 'must be "2012-10-17" or "2008-10-17"');
  }
  if (version !== '2012-10-17' && (kind === 'managed' || kind === 'boundary')) {
    const message = 'Policy document must be version 2012-10-17 or greater.';
    return malformed(message, 'Version', 'a managed policy must have it');
  }
  return version ?? '2008-10-17';
};

const parseStatements = (value: unknown, scope: ParseScope): Statement[] => {
  const isList = Array.isArray(value);
  const list: readonly unknown[] = isList ? value : [value];
  const statements = list.map((item, index) =>
    parseStatement(item, isList ? `Statement[${String(index)}]` : 'Statement', scope),
  );
  const sids = statements.flatMap(({ sid }) => (sid === null || sid === '' ? [] : [sid]));
  if (!isResourceKind(scope.kind) && new Set(sids).size < sids.length) {
    malformed('Statement IDs (SID) in a single policy must be unique.', 'Statement', 'two statements have one Sid');
  }
  return statements;
};

const tooLarge = (message: string, detail: string): never => {
  throw new PolicyError('TooLarge', message, '', detail);
};

const checkSize = (text: string, kind: PolicyKind): void => {
  const limit =
    kind === 'managed' || kind === 'boundary' ? POLICY_SIZE_LIMITS.managed
    : kind === 'session' || kind === 'trust' ? POLICY_SIZE_LIMITS[kind]
    : kind === 'key' ? MAX_KEY_POLICY_BYTES
    : MAX_POLICY_CHARACTERS; // prettier-ignore
  const size = kind === 'key' ? Buffer.byteLength(text) : text.length > limit ? policySize(text) : text.length;
  if (size > limit) tooLarge(`Cannot exceed quota for PolicySize: ${String(limit)}`, `it has ${String(size)}`);
};

const readJson = (text: string): unknown => {
  try {
    return parseJson(text);
  } catch (error) {
    if (error instanceof DuplicateMember) return malformed(SYNTAX, '', `${JSON.stringify(error.message)} occurs twice`);
    if (error instanceof SyntaxError) return malformed(SYNTAX, '', 'is no JSON');
    throw error;
  }
};

const read = <Kind extends PolicyKind>(text: string, kind: Kind, stored: boolean): Policy<Kind> => {
  if (text.length > MAX_POLICY_CHARACTERS) tooLarge('Policy is too long.', `it has ${String(text.length)} characters`);
  const scope = { kind, stored };
  const document = readJson(text);
  if (!isRecord(document)) return malformed(SYNTAX, '', 'must be a JSON object');
  const unknown = Object.keys(document).find((name) => !['Version', 'Id', 'Statement'].includes(name));
  if (unknown !== undefined) return malformed(SYNTAX, unknown, 'unknown element');
  if (!stored) checkSize(text, kind);
  const { Id: id = null } = document;
  if (id !== null && typeof id !== 'string') return malformed(SYNTAX, 'Id', 'must be a string');
  if (!Object.hasOwn(document, 'Statement')) return malformed(SYNTAX, 'Statement', 'is missing');
  const version = parseVersion(document.Version, scope);
  const statements = parseStatements(document.Statement, scope);
  if (statements.length === 0 && kind !== 'key') return malformed(SYNTAX, 'Statement', 'is empty');
  return { kind, version, id, statements };
};

/**
 * Reads a policy that somebody wants to put, refusing all that it would be unsafe to keep: an unknown condition operator,
 * an element given twice, a value of another type than its operator's.
 * @throws PolicyError
 * @see IAM user guide, Grammar of the IAM JSON policy language
 */
export const parsePolicy = <Kind extends PolicyKind>(text: string, kind: Kind): Policy<Kind> => read(text, kind, false);

/**
 * Reads a policy that was put in the past, perhaps under other rules: its size is not checked, and a condition that cannot
 * be understood surfaces at evaluation, where it holds for Deny and not for Allow.
 * @throws PolicyError
 */
export const readStoredPolicy = <Kind extends PolicyKind>(text: string, kind: Kind): Policy<Kind> =>
  read(text, kind, true);
