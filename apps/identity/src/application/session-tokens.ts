import type { sts } from '@holdfast/aws-protocol';
import {
  AwsError,
  type InternalRequests,
  MAX_AUTHORIZATION_MESSAGE_BYTES,
  type RequestContext,
} from '@holdfast/contracts';
import { federatedUserArn } from '../domain/arns.ts';
import type { ActionsOf } from './action.ts';
import { assumeRole } from './assume-role.ts';
import {
  accessDenied,
  issueSession,
  refuseParameters,
  sessionLimits,
  sessionTagsOf,
  validationError,
} from './issue-session.ts';
import type { Iam } from './ports.ts';
import { isTemporary } from './principal-policies.ts';

const DEFAULT_SECONDS = 43_200;
/** The root user's sessions are cut to this. */
const ROOT_SECONDS = 3600;

const durationFor = ({ principal }: RequestContext, seconds = DEFAULT_SECONDS): number =>
  principal.type === 'Root' ? Math.min(seconds, ROOT_SECONDS) : seconds;

const checkLongLived = (action: string, { principal }: RequestContext): void => {
  if (isTemporary(principal)) throw accessDenied(`Cannot call ${action} with session credentials`);
};

/** The user behind a session; null: the root user. */
const issuerOf = ({ principal }: RequestContext): string | null =>
  principal.type === 'Root' ? null : principal.principalId;

const getSessionToken = async (iam: Iam, input: sts.GetSessionTokenRequest, context: RequestContext) => {
  const { DurationSeconds, ...rest } = input;
  refuseParameters(rest);
  checkLongLived('GetSessionToken', context);
  const { accessKeyId: _key, ...principal } = context.principal;
  const session = { action: 'GetSessionToken', principal, policies: null, transitiveTagKeys: [] } as const;
  const durationSeconds = durationFor(context, DurationSeconds);
  return {
    Credentials: await issueSession(iam, { ...session, identityId: issuerOf(context), durationSeconds }, context),
  };
};

const getFederationToken = async (iam: Iam, input: sts.GetFederationTokenRequest, context: RequestContext) => {
  const { Name: name, Policy, PolicyArns, DurationSeconds, Tags, ...rest } = input;
  refuseParameters(rest);
  checkLongLived('GetFederationToken', context);
  const { accountId, userName, arn: issuerArn, principalId: issuerId } = context.principal;
  const tags = sessionTagsOf(Tags);
  const { policies, packedPolicySize } = await sessionLimits(iam, { Policy, PolicyArns }, tags, accountId);
  const arn = federatedUserArn(accountId, name);
  const principalId = `${accountId}:${name}`;
  const principal = {
    ...{ type: 'FederatedUser' as const, arn, accountId, principalId, sessionName: name },
    ...(userName === undefined ? {} : { userName, issuerArn, issuerId }),
    ...(Object.keys(tags).length === 0 ? {} : { sessionTags: { ...tags } }),
  };
  const session = {
    ...({ action: 'GetFederationToken', principal, identityId: issuerOf(context), transitiveTagKeys: [] } as const),
    // What is not passed is not allowed.
    policies: policies ?? { document: null, arns: [] },
    durationSeconds: durationFor(context, DurationSeconds),
  };
  return {
    Credentials: await issueSession(iam, session, context),
    FederatedUser: { FederatedUserId: principalId, Arn: arn },
    ...(packedPolicySize === 0 ? {} : { PackedPolicySize: packedPolicySize }),
  };
};

const decodeAuthorizationMessage = async (
  iam: Iam,
  { EncodedMessage }: sts.DecodeAuthorizationMessageRequest,
  { accountId }: RequestContext,
) => {
  const DecodedMessage = iam.messages.decode(accountId, EncodedMessage);
  if (DecodedMessage !== null) return Promise.resolve({ DecodedMessage });
  throw new AwsError({ code: 'InvalidAuthorizationMessageException', message: 'Message is not valid', status: 400 });
};

type Encode = InternalRequests['identity']['EncodeAuthorizationMessage'];

/** @throws RangeError for a message that could not be decoded from within STS's limits. */
export const encodeAuthorizationMessage = async (
  iam: Iam,
  { message }: Encode['in'],
  { accountId }: RequestContext,
): Promise<Encode['out']> => {
  if (Buffer.byteLength(message) > MAX_AUTHORIZATION_MESSAGE_BYTES) throw new RangeError('the message is too long');
  return Promise.resolve({ encodedMessage: iam.messages.encode(accountId, message) });
};

export const stsActions: ActionsOf<
  sts.Operations,
  | 'AssumeRole'
  | 'DecodeAuthorizationMessage'
  | 'GetAccessKeyInfo'
  | 'GetCallerIdentity'
  | 'GetFederationToken'
  | 'GetSessionToken'
> = {
  AssumeRole: assumeRole,
  DecodeAuthorizationMessage: decodeAuthorizationMessage,
  GetAccessKeyInfo: async (iam, { AccessKeyId }) => {
    const Account =
      iam.rootKeys.find(AccessKeyId)?.principal.accountId ?? (await iam.tables.accessKeyOwner(AccessKeyId));
    if (Account === null) throw validationError(`Access key ${AccessKeyId} is not known.`);
    return { Account };
  },
  // Whoever is authenticated may ask; the context says who that is.
  GetCallerIdentity: (_iam, _input, { principal }) =>
    Promise.resolve({ Account: principal.accountId, Arn: principal.arn, UserId: principal.principalId }),
  GetFederationToken: getFederationToken,
  GetSessionToken: getSessionToken,
};
