import { AwsError, type AwsErrorShape } from '@holdfast/contracts';
import type { Protocol, ServiceId } from '../service-model.ts';
import { modelOf } from '../services.ts';

/**
 * Why a request is not authenticated. `unknownKey`: no such access key, or a session token that is not the key's;
 * `expired`: signed too long ago, or the presigned URL ran out; `notYetCurrent`: signed in the future.
 */
export type AuthenticationFailureKind =
  'missing' | 'malformed' | 'unknownKey' | 'badSignature' | 'expired' | 'notYetCurrent' | 'tokenExpired';

/** The neutral failure; each protocol's words for it are in the table below. */
export class AuthenticationFailure extends Error {
  override readonly name = 'AuthenticationFailure';
  constructor(
    readonly kind: AuthenticationFailureKind,
    /** For the kinds whose text depends on the request. */
    readonly detail?: string,
  ) {
    super(detail ?? kind);
  }
}

type Row = readonly [code: string, status: number];

/**
 * Codes and statuses after AWS's published error lists; texts as documented. The rows of `malformed` and `missing` of EC2
 * are the least certain: nobody has published a recorded answer.
 */
const TABLE: Readonly<Record<AuthenticationFailureKind, Readonly<Record<Protocol, Row>>>> = {
  missing: {
    ec2Query: ['MissingAuthenticationToken', 403],
    awsQuery: ['MissingAuthenticationToken', 403],
    awsJson1_1: ['MissingAuthenticationTokenException', 400],
    restJson1: ['MissingAuthenticationTokenException', 403],
  },
  malformed: {
    ec2Query: ['IncompleteSignature', 400],
    awsQuery: ['IncompleteSignature', 400],
    awsJson1_1: ['IncompleteSignatureException', 400],
    restJson1: ['IncompleteSignatureException', 403],
  },
  unknownKey: {
    ec2Query: ['AuthFailure', 401],
    awsQuery: ['InvalidClientTokenId', 403],
    awsJson1_1: ['UnrecognizedClientException', 400],
    restJson1: ['UnrecognizedClientException', 403],
  },
  badSignature: {
    ec2Query: ['AuthFailure', 401],
    awsQuery: ['SignatureDoesNotMatch', 403],
    awsJson1_1: ['InvalidSignatureException', 400],
    restJson1: ['InvalidSignatureException', 403],
  },
  expired: {
    ec2Query: ['RequestExpired', 400],
    awsQuery: ['SignatureDoesNotMatch', 403],
    awsJson1_1: ['InvalidSignatureException', 400],
    restJson1: ['InvalidSignatureException', 403],
  },
  notYetCurrent: {
    ec2Query: ['RequestExpired', 400],
    awsQuery: ['SignatureDoesNotMatch', 403],
    awsJson1_1: ['InvalidSignatureException', 400],
    restJson1: ['InvalidSignatureException', 403],
  },
  tokenExpired: {
    ec2Query: ['RequestExpired', 400],
    awsQuery: ['ExpiredToken', 403],
    awsJson1_1: ['ExpiredTokenException', 400],
    restJson1: ['ExpiredTokenException', 403],
  },
};

const MESSAGES: Readonly<Record<AuthenticationFailureKind, string>> = {
  missing: 'Request is missing Authentication Token',
  malformed: 'The request signature does not conform to AWS standards.',
  unknownKey: 'The security token included in the request is invalid.',
  badSignature:
    'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and ' +
    'signing method. Consult the service documentation for details.',
  expired: 'Signature expired.',
  notYetCurrent: 'Signature not yet current.',
  tokenExpired: 'The security token included in the request is expired',
};

/** EC2 does not tell why credentials are refused. */
const EC2_MESSAGES: Readonly<Partial<Record<AuthenticationFailureKind, string>>> = {
  unknownKey: 'AWS was not able to validate the provided access credentials',
  badSignature: 'AWS was not able to validate the provided access credentials',
  expired: 'Request has expired.',
  notYetCurrent: 'Request has expired.',
  tokenExpired: 'Request has expired.',
};

/** The failure in the words of the service's protocol. */
export const authenticationError = (service: ServiceId, failure: AuthenticationFailure): AwsError => {
  const { protocol } = modelOf(service);
  const [code, status] = TABLE[failure.kind][protocol];
  const message =
    (protocol === 'ec2Query' ? EC2_MESSAGES[failure.kind] : undefined) ?? failure.detail ?? MESSAGES[failure.kind];
  return new AwsError({ code, message, status });
};

const DENIED: Readonly<Record<Protocol, Row>> = {
  ec2Query: ['UnauthorizedOperation', 403],
  awsQuery: ['AccessDenied', 403],
  awsJson1_1: ['AccessDeniedException', 400],
  restJson1: ['AccessDeniedException', 403],
};

/** A policy said no. `message` says to whom, what and on which resource, as the service's own text does. */
export const accessDenied = (service: ServiceId, message: string, members?: AwsErrorShape['members']): AwsError => {
  const [code, status] = DENIED[modelOf(service).protocol];
  return new AwsError({ code, message, status, members });
};
