import type { ServiceId } from '@holdfast/aws-protocol';
import { AwsError } from '@holdfast/contracts';

/** What each service calls a fault of ours, an overload, and a body that is too long. */
const INTERNAL: Readonly<Record<ServiceId, string>> = {
  ec2: 'InternalError',
  kms: 'KMSInternalException',
  sts: 'InternalFailure',
  iam: 'ServiceFailure',
  ebs: 'InternalServerException',
  cloudtrail: 'InternalFailure',
};

const isQuery = (service: ServiceId | null) => service === 'ec2' || service === 'sts' || service === 'iam';

export const internalFailure = (service: ServiceId | null): AwsError =>
  new AwsError({
    code: service === null ? 'InternalFailure' : INTERNAL[service],
    message: 'An internal error has occurred',
    status: 500,
  });

export const requestTooLarge = (service: ServiceId | null): AwsError =>
  new AwsError({
    code: isQuery(service) ? 'RequestEntityTooLarge' : 'RequestEntityTooLargeException',
    message: 'The request is longer than the service accepts.',
    status: 413,
  });
