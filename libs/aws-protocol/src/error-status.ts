import type { Protocol } from './service-model.ts';

/**
 * HTTP status of error codes that the models lack, where it is not the protocol's usual 400. EC2's list is its documented
 * one; 412 for DryRunOperation is as recorded.
 */
const QUERY: Readonly<Record<string, number>> = {
  AccessDenied: 403,
  AuthFailure: 401,
  Blocked: 403,
  DryRunOperation: 412,
  ExpiredToken: 403,
  InternalError: 500,
  InternalFailure: 500,
  InvalidClientTokenId: 403,
  MissingAuthenticationToken: 403,
  OptInRequired: 403,
  PendingVerification: 403,
  RequestLimitExceeded: 503,
  ServiceUnavailable: 503,
  SignatureDoesNotMatch: 403,
  UnauthorizedOperation: 403,
  Unavailable: 503,
};

const JSON_SERVER_FAULTS: Readonly<Record<string, number>> = {
  DependencyTimeoutException: 503,
  InternalFailure: 500,
  InternalServerError: 500,
  KMSInternalException: 500,
  KeyUnavailableException: 500,
  ServiceUnavailableException: 503,
};

const REST: Readonly<Record<string, number>> = {
  ...JSON_SERVER_FAULTS,
  ExpiredTokenException: 403,
  IncompleteSignatureException: 403,
  InvalidSignatureException: 403,
  MissingAuthenticationTokenException: 403,
  UnknownOperationException: 404,
  UnrecognizedClientException: 403,
};

const lookUp = (table: Readonly<Record<string, number>>, code: string): number | undefined =>
  Object.hasOwn(table, code) ? table[code] : undefined;

/** Status of an error. awsJson services answer 400 to every fault of the client, whatever status the model declares. */
export const statusOf = (protocol: Protocol, modelled: Readonly<Record<string, number>>, code: string): number => {
  switch (protocol) {
    case 'ec2Query':
    case 'awsQuery':
      return lookUp(QUERY, code) ?? lookUp(modelled, code) ?? 400;
    case 'awsJson1_1': {
      const status = lookUp(JSON_SERVER_FAULTS, code) ?? lookUp(modelled, code) ?? 400;
      return status >= 500 ? status : 400;
    }
    case 'restJson1':
      return lookUp(modelled, code) ?? lookUp(REST, code) ?? 400;
  }
};
