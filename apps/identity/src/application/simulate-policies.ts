import type { iam as api } from '@holdfast/aws-protocol';
import { AwsError, type RequestContext, type SourcedPolicy } from '@holdfast/contracts';
import {
  type AccessQuestion,
  admitPolicy,
  type CompiledPolicy,
  type Decision,
  evaluate,
  loadPolicy,
  PolicyError,
  type PolicyKind,
  type Principal,
  roleSession,
  type StatementTrail,
  user,
} from '@holdfast/iam';
import { refuse } from '../domain/errors.ts';
import type { ActionsOf } from './action.ts';
import { validationError } from './issue-session.ts';
import type { Iam, IdentityRow } from './ports.ts';
import { policiesOfIdentity } from './principal-policies.ts';
import { pageOf } from './support.ts';

type Request = Omit<api.SimulatePrincipalPolicyRequest, 'PolicySourceArn'> &
  Partial<Pick<api.SimulateCustomPolicyRequest, 'OrderedOrganizationPolicyInputList'>>;

/** Combinations of actions and resources in one call. */
const MAX_COMBINATIONS = 10_000;
const ENTITY_ARN = /^arn:aws:iam::(\d{12}):(user|group|role)\/(?:[\w+=,.@-]+\/)*([\w+=,.@-]+)$/;
const USER_ARN = /^arn:aws:iam::\d{12}:user\/[\w+=,.@/-]+$/;
const ACTION = /^[a-z0-9-]+:[A-Za-z0-9]+$/;
const LIST = /List$/;

/** @throws AwsError InvalidInput for what is no policy. */
const admitted = <Kind extends PolicyKind>(text: string, kind: Kind, name: string): CompiledPolicy<Kind> => {
  try {
    return admitPolicy(text, kind, name);
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    throw new AwsError({ code: 'InvalidInput', message: `Invalid ${name}: ${error.message}` });
  }
};

interface Simulated {
  principal: Principal;
  accountId: string;
  identityPolicies: AccessQuestion['identityPolicies'];
  boundary: CompiledPolicy<'boundary'> | null;
  /** By the names that trails give them. */
  sources: ReadonlyMap<string, api.PolicySourceType>;
}

const contextOf = (entries: readonly api.ContextEntry[] = []): Record<string, string | string[]> =>
  Object.fromEntries(
    entries.map(({ ContextKeyName = '', ContextKeyValues = [], ContextKeyType = 'string' }) => [
      ContextKeyName,
      LIST.test(ContextKeyType) ? ContextKeyValues : (ContextKeyValues[0] ?? ''),
    ]),
  );

const decisionOf = ({ allowed, explicitDeny }: Decision): api.PolicyEvaluationDecisionType => {
  if (allowed) return 'allowed';
  return explicitDeny ? 'explicitDeny' : 'implicitDeny';
};

const statementsOf = ({ trail }: Decision): StatementTrail[] =>
  trail.filter((entry): entry is StatementTrail => entry.source === 'statement');

/** Keys that a statement tests and the request does not have. */
const missingKeys = (decision: Decision): string[] => {
  const keys = statementsOf(decision).flatMap(({ failed }) =>
    failed?.element === 'Condition' && failed.given.length === 0 ? [failed.key] : [],
  );
  return [...new Set(keys)];
};

const resultOf = (decision: Decision, { boundary, sources }: Simulated): api.EvaluationResult => {
  const statements = statementsOf(decision);
  const wanted = decision.explicitDeny ? 'Deny' : 'Allow';
  const matched = statements.filter(({ matched: isMatched, effect }) => isMatched && effect === wanted);
  const ofBoundary = statements.filter(({ side, matched: isMatched }) => side === 'boundary' && isMatched);
  const isWithin = ofBoundary.length > 0 && ofBoundary.every(({ effect }) => effect === 'Allow');
  return {
    EvalActionName: decision.request.action,
    EvalResourceName: decision.request.resource,
    EvalDecision: decisionOf(decision),
    MatchedStatements: matched
      .filter(({ side }) => side !== 'boundary')
      .map(({ policyName, side }) => ({
        SourcePolicyId: policyName ?? side,
        SourcePolicyType: side === 'resource' ? 'resource' : (sources.get(policyName ?? '') ?? 'none'),
      })),
    MissingContextValues: missingKeys(decision),
    ...(boundary === null ? {} : { PermissionsBoundaryDecisionDetail: { AllowedByPermissionsBoundary: isWithin } }),
  };
};

/** @throws AwsError for parameters that are not implemented, and malformed ones. */
const checkRequest = (input: Request): void => {
  const { PolicyExclusionList, OrderedOrganizationPolicyInputList, ResourceHandlingOption } = input;
  const refused = { PolicyExclusionList, OrderedOrganizationPolicyInputList, ResourceHandlingOption };
  const [name] = Object.entries(refused).find(([, value]) => value !== undefined) ?? [];
  if (name !== undefined) throw validationError(`The parameter ${name} is not supported.`);
  const action = input.ActionNames.find((one) => !ACTION.test(one));
  if (action !== undefined) throw new AwsError({ code: 'InvalidInput', message: `Invalid Action Name: ${action}` });
  if (input.ActionNames.length * (input.ResourceArns?.length ?? 1) > MAX_COMBINATIONS) {
    throw new AwsError({ code: 'InvalidInput', message: 'Too many combinations of actions and resources.' });
  }
};

const resourcePolicyOf = ({ ResourcePolicy }: Request, action: string): AccessQuestion['resourcePolicy'] =>
  ResourcePolicy === undefined
    ? 'not-asked'
    : admitted(ResourcePolicy, action.startsWith('kms:') ? 'key' : 'resource', 'ResourcePolicy');

const simulate = async (iam: Iam, input: Request, simulated: Simulated, context: RequestContext) => {
  const { ActionNames, ResourceArns = ['*'], ResourceOwner, ContextEntries } = input;
  const owner = /(\d{12})/.exec(ResourceOwner ?? '')?.[1] ?? simulated.accountId;
  const at = iam.clock.now();
  const simulatedContext = contextOf(ContextEntries);
  const results = ActionNames.flatMap((action) =>
    ResourceArns.map((resource) =>
      evaluate({
        request: { principal: simulated.principal, action, resource, region: context.region, at, simulatedContext },
        identityPolicies: simulated.identityPolicies,
        permissionsBoundary: simulated.boundary,
        resourcePolicy: resourcePolicyOf(input, action),
        resourceAccount: owner,
      }),
    ),
  );
  const numbered = results.map((decision, index) => ({ decision, key: String(index).padStart(6, '0') }));
  const { rows, end } = await pageOf(iam, context, ['simulation'], input, numbered, ({ key }) => key);
  return { EvaluationResults: rows.map(({ decision }) => resultOf(decision, simulated)), ...end };
};

const inputPolicies = (list: readonly string[] | undefined): CompiledPolicy<'identity'>[] =>
  (list ?? []).map((text, index) => admitted(text, 'identity', `PolicyInputList.${String(index + 1)}`));

const boundaryOf = ({ PermissionsBoundaryPolicyInputList: [text] = [] }: Request): CompiledPolicy<'boundary'> | null =>
  text === undefined ? null : admitted(text, 'boundary', 'PermissionsBoundaryPolicyInputList.1');

/** Somebody of the caller's account: the policies are what is asked about. */
const callerOf = ({ CallerArn }: Request, accountId: string): Principal => {
  if (CallerArn !== undefined && !USER_ARN.test(CallerArn)) {
    throw new AwsError({ code: 'InvalidInput', message: `CallerArn ${CallerArn} is not the ARN of a user.` });
  }
  return user({ arn: CallerArn ?? `arn:aws:iam::${accountId}:user/simulated`, id: 'AIDASIMULATEDPRINCIPAL' });
};

const simulateCustomPolicy = async (iam: Iam, input: api.SimulateCustomPolicyRequest, context: RequestContext) => {
  checkRequest(input);
  const principal = callerOf(input, context.accountId);
  const identityPolicies = inputPolicies(input.PolicyInputList);
  const simulated = { principal, accountId: context.accountId, identityPolicies, boundary: boundaryOf(input) };
  return simulate(iam, input, { ...simulated, sources: new Map() }, context);
};

const principalFor = (row: IdentityRow, input: Request): Principal => {
  if (row.kind === 'role') {
    return roleSession({ roleArn: row.arn, roleId: row.id, sessionName: 'simulated', tags: row.tags });
  }
  if (row.kind === 'group' || input.CallerArn !== undefined) return callerOf(input, row.accountId);
  return user({ arn: row.arn, id: row.id, tags: row.tags });
};

/** @throws DomainError EntityNotFound; AwsError InvalidInput for what names no user, group or role of the account. */
const sourceOf = async (iam: Iam, arn: string, { accountId }: RequestContext): Promise<IdentityRow> => {
  const [, account, kind, name = ''] = ENTITY_ARN.exec(arn) ?? [];
  if (account !== accountId || kind === undefined) {
    throw new AwsError({ code: 'InvalidInput', message: `Invalid Entity Arn: ${arn}` });
  }
  const [row] = await iam.tables.identitiesByArn([arn]);
  return row ?? refuse('EntityNotFound', { kind, name });
};

const simulatePrincipalPolicy = async (
  iam: Iam,
  input: api.SimulatePrincipalPolicyRequest,
  context: RequestContext,
) => {
  checkRequest(input);
  const row = await sourceOf(iam, input.PolicySourceArn, context);
  const { identityPolicies: own, permissionsBoundary } = await policiesOfIdentity(iam, row);
  const load = ({ sourceId, document }: SourcedPolicy) => loadPolicy(document, 'identity', sourceId);
  const stored =
    permissionsBoundary === undefined
      ? null
      : loadPolicy(permissionsBoundary.document, 'boundary', permissionsBoundary.sourceId);
  const simulated: Simulated = {
    principal: principalFor(row, input),
    accountId: context.accountId,
    identityPolicies: [...own.map(load), ...inputPolicies(input.PolicyInputList)],
    boundary: boundaryOf(input) ?? stored,
    sources: new Map(own.map(({ sourceId, sourceType }) => [sourceId, sourceType])),
  };
  return simulate(iam, input, simulated, context);
};

/** The same engine that enforces, asked what it would say. */
export const simulations: ActionsOf<api.Operations, 'SimulateCustomPolicy' | 'SimulatePrincipalPolicy'> = {
  SimulateCustomPolicy: simulateCustomPolicy,
  SimulatePrincipalPolicy: simulatePrincipalPolicy,
};
