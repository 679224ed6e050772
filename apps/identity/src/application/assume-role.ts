import { type DecidedCall, decisionRecord, ruleRecord } from '@holdfast/access';
import type { sts } from '@holdfast/aws-protocol';
import { type RequestContext, type SourcedPolicy } from '@holdfast/contracts';
import {
  type CompiledPolicy,
  evaluateEach,
  type IdentityKind,
  loadPolicy,
  principalOf,
  stsDenialMessage,
} from '@holdfast/iam';
import { assumedRoleArn } from '../domain/arns.ts';
import type { Tags } from '../domain/iam.events.ts';
import { sessionTags } from '../domain/session.decider.ts';
import {
  accessDenied,
  checkTransitiveKeys,
  issueSession,
  refuseParameters,
  sessionLimits,
  sessionTagsOf,
  validationError,
} from './issue-session.ts';
import type { Iam, IdentityRow } from './ports.ts';
import { principalPolicies } from './principal-policies.ts';
import { currentTrustPolicy } from './trust-policies.ts';

const ROLE_ARN = /^arn:aws:iam::\d{12}:role\/[\w+=,.@/-]+$/;
const DEFAULT_SECONDS = 3600;
const CHAINED_SECONDS = 3600;

const compiled = <Kind extends IdentityKind>({ sourceId, document }: SourcedPolicy, kind: Kind): CompiledPolicy<Kind> =>
  loadPolicy(document, kind, sourceId);

interface Asked {
  role: IdentityRow;
  input: sts.AssumeRoleRequest;
  tags: Tags;
  /** Said in this call, or by the session that calls. */
  sourceIdentity: string | undefined;
  context: RequestContext;
}

/**
 * The role's trust policy and the caller's own policies together: STS's only operation whose resource has a policy.
 * @throws AwsError AccessDenied
 */
const authorize = async (iam: Iam, { role, input, tags, sourceIdentity, context }: Asked): Promise<void> => {
  const { principal } = context;
  const own = await principalPolicies(iam, principal);
  if (own === null) throw notAuthorized(principal.arn, input.RoleArn);
  const { permissionsBoundary: boundary, sessionPolicies } = own;
  const tagKeys = Object.keys(tags);
  const joint = evaluateEach(
    {
      request: {
        principal: principalOf(principal, own.principalTags),
        action: 'sts:AssumeRole',
        resource: role.arn,
        region: context.region,
        at: iam.clock.now(),
        sourceIp: context.sourceIp,
        userAgent: context.userAgent,
        ...(context.viaService === undefined ? {} : { viaService: context.viaService }),
        context: {
          'sts:RoleSessionName': input.RoleSessionName,
          ...(input.ExternalId === undefined ? {} : { 'sts:ExternalId': input.ExternalId }),
          ...Object.fromEntries(Object.entries(tags).map(([key, value]) => [`aws:RequestTag/${key}`, value])),
          ...(tagKeys.length === 0 ? {} : { 'aws:TagKeys': tagKeys }),
          ...(sourceIdentity === undefined ? {} : { 'sts:SourceIdentity': sourceIdentity }),
          ...(input.TransitiveTagKeys === undefined ? {} : { 'sts:TransitiveTagKeys': input.TransitiveTagKeys }),
          ...(principal.tokenIssueTime === undefined ? {} : { 'aws:TokenIssueTime': principal.tokenIssueTime }),
        },
      },
      identityPolicies: own.identityPolicies.map((policy) => compiled(policy, 'identity')),
      permissionsBoundary: boundary === undefined ? null : compiled(boundary, 'boundary'),
      ...(sessionPolicies === undefined
        ? {}
        : { sessionPolicies: sessionPolicies.map((policy) => compiled(policy, 'session')) }),
      resourcePolicy: loadPolicy(await currentTrustPolicy(iam, role), 'trust'),
      resourceAccount: role.accountId,
    },
    [
      { resource: role.arn },
      ...(tagKeys.length === 0 ? [] : [{ resource: role.arn, action: 'sts:TagSession' }]),
      ...(sourceIdentity === undefined ? [] : [{ resource: role.arn, action: 'sts:SetSourceIdentity' }]),
    ],
  );
  const call = decidedCall(iam, input, context);
  if (joint.allowed) return iam.decisions.allowed(decisionRecord(call, joint, null));
  const refusal = accessDenied(stsDenialMessage(joint.decision));
  await iam.decisions.refused(decisionRecord(call, joint, refusal.code));
  throw refusal;
};

const decidedCall = (iam: Iam, input: sts.AssumeRoleRequest, context: RequestContext): DecidedCall => ({
  ...{ service: 'sts', operation: 'AssumeRole', input, context, at: iam.clock.now() },
});

/** Also what a role that does not exist is answered with. */
const notAuthorized = (arn: string, roleArn: string) =>
  accessDenied(`User: ${arn} is not authorized to perform: sts:AssumeRole on resource: ${roleArn}`);

/** @throws AwsError ValidationError */
const durationOf = (requested: number | undefined, role: IdentityRow, isChained: boolean): number => {
  const seconds = requested ?? DEFAULT_SECONDS;
  if (isChained && seconds > CHAINED_SECONDS) {
    throw validationError(
      'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.',
    );
  }
  if (seconds > (role.maxSessionSeconds ?? DEFAULT_SECONDS)) {
    throw validationError('The requested DurationSeconds exceeds the MaxSessionDuration set for this role.');
  }
  return seconds;
};

/** Tags that the caller's own session hands on. */
const inheritedTags = async (iam: Iam, { principal }: RequestContext): Promise<Tags> => {
  const { accessKeyId, sessionTags: own = {} } = principal;
  if (accessKeyId === undefined || Object.keys(own).length === 0) return {};
  const transitive = new Set(
    (await iam.tables.session(accessKeyId))?.transitiveTagKeys.map((key) => key.toLowerCase()),
  );
  return Object.fromEntries(Object.entries(own).filter(([key]) => transitive.has(key.toLowerCase())));
};

const allTags = async (iam: Iam, input: sts.AssumeRoleRequest, context: RequestContext) => {
  const requested = sessionTagsOf(input.Tags);
  checkTransitiveKeys(input.TransitiveTagKeys ?? [], requested);
  const inherited = await inheritedTags(iam, context);
  const taken = new Set(Object.keys(inherited).map((key) => key.toLowerCase()));
  if (Object.keys(requested).some((key) => taken.has(key.toLowerCase()))) {
    throw validationError(
      "One of the specified tag keys can't be set because it is a transitive tag of the calling session.",
    );
  }
  const transitiveTagKeys = [...Object.keys(inherited), ...(input.TransitiveTagKeys ?? [])];
  return { requested, tags: sessionTags(inherited, requested), transitiveTagKeys };
};

/** Once said, it stays for all sessions that are made from the first. @throws AwsError AccessDenied */
const sourceIdentityOf = (asked: string | undefined, { principal }: RequestContext): string | undefined => {
  const known = principal.sourceIdentity;
  if (known === undefined || asked === undefined || asked === known) return known ?? asked;
  throw accessDenied(`The source identity of the calling session is ${known} and cannot be changed.`);
};

const checkCaller = ({ principal: { type } }: RequestContext): void => {
  if (type === 'Root') throw accessDenied('Roles may not be assumed by root accounts.');
  if (type === 'FederatedUser') throw accessDenied('Cannot call AssumeRole with federation credentials.');
};

/** @see STS API reference, AssumeRole */
export const assumeRole = async (
  iam: Iam,
  input: sts.AssumeRoleRequest,
  context: RequestContext,
): Promise<sts.AssumeRoleResponse> => {
  const { RoleArn, RoleSessionName: sessionName, DurationSeconds, Policy, PolicyArns } = input;
  const { Tags: _tags, TransitiveTagKeys: _keys, ExternalId: _external, SourceIdentity, ...other } = input;
  const { RoleArn: _arn, RoleSessionName: _name, DurationSeconds: _s, Policy: _p, PolicyArns: _a, ...rest } = other;
  refuseParameters(rest);
  if (!ROLE_ARN.test(RoleArn)) throw validationError(`${RoleArn} is invalid`);
  checkCaller(context);
  const { requested, tags, transitiveTagKeys } = await allTags(iam, input, context);
  const [role] = await iam.tables.identitiesByArn([RoleArn]);
  if (role === undefined) {
    const refusal = notAuthorized(context.principal.arn, RoleArn);
    await iam.decisions.refused(ruleRecord(decidedCall(iam, input, context), refusal, `there is no role ${RoleArn}`));
    throw refusal;
  }
  const sourceIdentity = sourceIdentityOf(SourceIdentity, context);
  await authorize(iam, { role, input, tags: requested, sourceIdentity, context });
  const { policies, packedPolicySize } = await sessionLimits(iam, { Policy, PolicyArns }, tags, role.accountId);
  const durationSeconds = durationOf(DurationSeconds, role, context.principal.type === 'AssumedRole');
  const { accountId, id: roleId, name, arn: roleArn } = role;
  const assumed = { Arn: assumedRoleArn(accountId, name, sessionName), AssumedRoleId: `${roleId}:${sessionName}` };
  const principal = {
    ...{ type: 'AssumedRole' as const, arn: assumed.Arn, accountId, principalId: assumed.AssumedRoleId },
    ...{ roleArn, sessionName, ...(sourceIdentity === undefined ? {} : { sourceIdentity }) },
    ...(Object.keys(tags).length === 0 ? {} : { sessionTags: { ...tags } }),
  };
  const session = { action: 'AssumeRole', principal, identityId: roleId, policies, transitiveTagKeys } as const;
  return {
    Credentials: await issueSession(iam, { ...session, durationSeconds }, context),
    AssumedRoleUser: assumed,
    ...(sourceIdentity === undefined ? {} : { SourceIdentity: sourceIdentity }),
    ...(packedPolicySize === 0 ? {} : { PackedPolicySize: packedPolicySize }),
  };
};
