import type { sts } from '@holdfast/aws-protocol';
import { AwsError, callerOf, instant, type Principal, type RequestContext } from '@holdfast/contracts';
import { admitPolicy, PolicyError, policySize } from '@holdfast/iam';
import { awsManagedPolicy } from '../domain/aws-managed-policies.ts';
import type { Tags } from '../domain/iam.events.ts';
import { newId } from '../domain/ids.ts';
import type { SessionIssued } from '../domain/session.decider.ts';
import type { Iam } from './ports.ts';
import { sealOutput } from './sealed-outputs.ts';

/** Characters of session policies and tags together; PackedPolicySize is a percentage of it. */
const PACKED_POLICY_CHARACTERS = 2048;
const MAX_POLICY_ARNS = 10;

export const validationError = (message: string): AwsError => new AwsError({ code: 'ValidationError', message });
const invalidValue = (message: string): AwsError => new AwsError({ code: 'InvalidParameterValue', message });
export const accessDenied = (message: string): AwsError => new AwsError({ code: 'AccessDenied', message, status: 403 });

/** @throws AwsError ValidationError naming the first parameter that was given and is not implemented. */
export const refuseParameters = (rest: object): void => {
  const [name] = Object.entries(rest).find(([, value]) => value !== undefined) ?? [];
  if (name !== undefined) throw validationError(`The parameter ${name} is not supported.`);
};

/** @throws AwsError InvalidParameterValue in STS's recorded words. */
export const sessionTagsOf = (list: readonly sts.Tag[] | undefined): Tags => {
  const keys = (list ?? []).map(({ Key }) => Key.toLowerCase());
  if (new Set(keys).size < keys.length) {
    throw invalidValue('Duplicate tag keys found. Please note that Tag keys are case insensitive.');
  }
  if (keys.some((key) => key.startsWith('aws:'))) {
    throw invalidValue('Tag keys that begin with aws: are reserved for internal use.');
  }
  return Object.fromEntries((list ?? []).map(({ Key, Value }) => [Key, Value]));
};

export const checkTransitiveKeys = (keys: readonly string[], tags: Tags): void => {
  const known = new Set(Object.keys(tags).map((key) => key.toLowerCase()));
  if (keys.every((key) => known.has(key.toLowerCase()))) return;
  throw invalidValue('The specified transitive tag key must be included in the requested tags.');
};

export interface SessionLimits {
  /** Null: none were passed. */
  policies: SessionIssued['sessionPolicies'];
  packedPolicySize: number;
}

const checkSessionDocument = (document: string): void => {
  try {
    admitPolicy(document, 'session');
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    if (error.code === 'TooLarge') throw packedPolicyTooLarge();
    throw new AwsError({ code: 'MalformedPolicyDocument', message: error.message });
  }
};

const packedPolicyTooLarge = () =>
  new AwsError({
    code: 'PackedPolicyTooLarge',
    message: 'Packed policy consumes more than 100% of allotted space, please use smaller policy.',
  });

/**
 * Session policies as they were passed.
 * @param accountId whose managed policies may be named, besides AWS's.
 * @throws AwsError MalformedPolicyDocument | PackedPolicyTooLarge | ValidationError
 */
export const sessionLimits = async (
  iam: Iam,
  { Policy, PolicyArns = [] }: Pick<sts.AssumeRoleRequest, 'Policy' | 'PolicyArns'>,
  tags: Tags,
  accountId: string,
): Promise<SessionLimits> => {
  const arns = PolicyArns.map(({ arn = '' }) => arn);
  if (arns.length > MAX_POLICY_ARNS) throw validationError('At most 10 managed policies can be passed.');
  for (const arn of arns) {
    const isOwn = arn.startsWith(`arn:aws:iam::${accountId}:policy/`) && (await iam.tables.policy(arn)) !== null;
    if (!isOwn && awsManagedPolicy(arn) === null) {
      throw validationError(`Policy ${arn} does not exist or is not attachable.`);
    }
  }
  if (Policy !== undefined) checkSessionDocument(Policy);
  const texts = [Policy ?? '', ...arns, ...Object.entries(tags).flat()];
  const characters = texts.reduce((sum, text) => sum + policySize(text), 0);
  if (characters > PACKED_POLICY_CHARACTERS) throw packedPolicyTooLarge();
  return {
    policies: Policy === undefined && arns.length === 0 ? null : { document: Policy ?? null, arns },
    packedPolicySize: Math.ceil((characters / PACKED_POLICY_CHARACTERS) * 100),
  };
};

export interface NewSession {
  action: 'AssumeRole' | 'GetSessionToken' | 'GetFederationToken';
  principal: Omit<Principal, 'accessKeyId' | 'tokenIssueTime'>;
  identityId: string | null;
  policies: SessionIssued['sessionPolicies'];
  transitiveTagKeys: readonly string[];
  durationSeconds: number;
}

/** Issues temporary credentials and answers with them, sealed. */
export const issueSession = async (
  iam: Iam,
  { action, principal, identityId, policies, transitiveTagKeys, durationSeconds }: NewSession,
  context: RequestContext,
): Promise<sts.Credentials> => {
  const accessKeyId = newId('temporaryAccessKey');
  const secretsKeyId = iam.sessionSecrets.currentKeyId;
  const { secretAccessKey, sessionToken } = iam.sessionSecrets.of(accessKeyId, secretsKeyId);
  const sealed = {
    SecretAccessKey: await sealOutput(action, secretAccessKey, context),
    SessionToken: await sealOutput(action, sessionToken, context),
  };
  const now = iam.clock.now();
  const at = instant(now);
  const expiresAt = instant(new Date(now.getTime() + durationSeconds * 1000));
  await iam.sessions.issue(
    {
      ...{ accountId: principal.accountId, accessKeyId, identityId, secretsKeyId, sessionPolicies: policies },
      principal: { ...principal, tokenIssueTime: at, accessKeyId },
      ...{ transitiveTagKeys, expiresAt, at },
    },
    callerOf(context),
  );
  return { AccessKeyId: accessKeyId, ...sealed, Expiration: expiresAt };
};
