import type { ServiceId } from '@holdfast/aws-protocol';
import { AwsError } from '@holdfast/contracts';

/** What each service calls a fault of ours. */
const INTERNAL: Readonly<Record<ServiceId, string>> = {
  ec2: 'InternalError',
  kms: 'KMSInternalException',
  sts: 'InternalFailure',
  iam: 'ServiceFailure',
  ebs: 'InternalServerException',
  cloudtrail: 'InternalFailure',
  rbin: 'InternalServerException',
};

/** And a part that is away or has too much to do: SDKs try again. */
const UNAVAILABLE: Readonly<Record<ServiceId, string>> = {
  ec2: 'Unavailable',
  kms: 'DependencyTimeoutException',
  sts: 'ServiceUnavailable',
  iam: 'ServiceUnavailable',
  ebs: 'ServiceUnavailableException',
  cloudtrail: 'ServiceUnavailableException',
  rbin: 'ServiceUnavailableException',
};

const isQuery = (service: ServiceId | null) => service === 'ec2' || service === 'sts' || service === 'iam';

export const internalFailure = (service: ServiceId | null): AwsError =>
  new AwsError({
    code: service === null ? 'InternalFailure' : INTERNAL[service],
    message: 'An internal error has occurred',
    status: 500,
  });

export const unavailable = (service: ServiceId | null): AwsError =>
  new AwsError({
    code: service === null ? 'ServiceUnavailable' : UNAVAILABLE[service],
    message: 'The service is unavailable. Please try again shortly.',
    status: 503,
  });

export const requestTooLarge = (service: ServiceId | null): AwsError =>
  new AwsError({
    code: isQuery(service) ? 'RequestEntityTooLarge' : 'RequestEntityTooLargeException',
    message: 'The request is longer than the service accepts.',
    status: 413,
  });
