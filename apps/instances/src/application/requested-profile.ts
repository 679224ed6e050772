import type { ec2 } from '@holdfast/aws-protocol';
import type { RequestContext } from '@holdfast/contracts';
import { invalidParameterCombination, invalidParameterValue, missingParameter } from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { InstanceProfile } from '../domain/instance-profile.ts';

/** Which profile a request means: null if none. An empty text asks for nothing. */
export const namedProfile = ({ Name = '', Arn = '' }: ec2.IamInstanceProfileSpecification = {}):
  { name: string } | { arn: string } | null => {
  if (Name !== '' && Arn !== '')
    throw invalidParameterCombination(
      "The parameter 'iamInstanceProfile.name' may not be used in combination with 'iamInstanceProfile.arn'",
    );
  if (Arn !== '') return { arn: Arn };
  return Name === '' ? null : { name: Name };
};

/**
 * The profile of the caller's account that a request names. Whether the caller may pass its role is decided before.
 * @throws AwsError InvalidParameterValue for one that is not there, or has no role.
 */
export const requestedProfile = async (
  requests: Requests,
  specification: ec2.IamInstanceProfileSpecification | undefined,
  context: RequestContext,
): Promise<InstanceProfile | null> => {
  const wanted = namedProfile(specification);
  if (wanted === null) return null;
  const found = await requests.call('identity', 'FindInstanceProfile', wanted, context);
  if (found === null)
    throw invalidParameterValue(
      'arn' in wanted
        ? `Value (${wanted.arn}) for parameter iamInstanceProfile.arn is invalid. Invalid IAM Instance Profile ARN`
        : `Value (${wanted.name}) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name`,
    );
  const { arn, instanceProfileId, roleArn } = found;
  if (roleArn === null) throw invalidParameterValue(`IAM Instance Profile "${arn}" has no associated IAM Roles`);
  return { arn, id: instanceProfileId };
};

/** @throws AwsError MissingParameter where there must be one. */
export const requiredProfile = async (
  requests: Requests,
  specification: ec2.IamInstanceProfileSpecification | undefined,
  context: RequestContext,
): Promise<InstanceProfile> => {
  const found = await requestedProfile(requests, specification, context);
  if (found === null) throw missingParameter('IamInstanceProfile');
  return found;
};
