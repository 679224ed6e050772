import { AwsError, type AwsErrorShape } from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';
import type { IamErrorCode, IamErrorDetails } from '../../domain/errors.ts';

type Table = { readonly [Code in IamErrorCode]: (details: IamErrorDetails[Code]) => AwsErrorShape };

const noSuchEntity = (message: string): AwsErrorShape => ({ code: 'NoSuchEntity', message, status: 404 });
const limitExceeded = (message: string): AwsErrorShape => ({ code: 'LimitExceeded', message, status: 409 });
const deleteConflict = (message: string): AwsErrorShape => ({ code: 'DeleteConflict', message, status: 409 });
const exists = (message: string): AwsErrorShape => ({ code: 'EntityAlreadyExists', message, status: 409 });

/** `user` as a sentence begins with it. */
const capital = (kind: string) =>
  kind === 'instance-profile' ? 'Instance Profile' : kind.charAt(0).toUpperCase() + kind.slice(1);

/** IAM's own words. @see IAM API reference, and what its users report */
const IAM_ERRORS: Table = {
  EntityNotFound: ({ kind, name }) =>
    noSuchEntity(
      kind === 'instance-profile'
        ? `Instance Profile ${name} cannot be found.`
        : `The ${kind} with name ${name} cannot be found.`,
    ),
  PolicyNotFound: ({ arn }) => noSuchEntity(`Policy ${arn} was not found.`),
  PolicyNotAttachable: ({ arn }) => noSuchEntity(`Policy ${arn} does not exist or is not attachable.`),
  PolicyNotAttached: ({ arn }) => noSuchEntity(`Policy ${arn} was not found.`),
  PolicyVersionNotFound: ({ arn, versionId }) =>
    noSuchEntity(`Policy ${arn} version ${versionId} does not exist or is not attachable.`),
  InlinePolicyNotFound: ({ kind, name }) => noSuchEntity(`The ${kind} policy with name ${name} cannot be found.`),
  BoundaryNotFound: ({ kind, name }) => noSuchEntity(`${capital(kind)} ${name} does not have a permission boundary.`),
  AccessKeyNotFound: ({ accessKeyId }) => noSuchEntity(`The Access Key with id ${accessKeyId} cannot be found.`),
  NotInGroup: ({ userName, groupName }) => noSuchEntity(`User ${userName} is not in group ${groupName}.`),
  RoleNotInProfile: ({ roleName, instanceProfileName }) =>
    noSuchEntity(`Role ${roleName} is not in instance profile ${instanceProfileName}.`),
  EntityAlreadyExists: ({ kind, name }) =>
    exists(
      kind === 'instance-profile'
        ? `Instance Profile ${name} already exists.`
        : `${capital(kind)} with name ${name} already exists.`,
    ),
  PolicyAlreadyExists: ({ name }) => exists(`A policy called ${name} already exists. Duplicate names are not allowed.`),
  DeleteConflict: ({ why }) => deleteConflict(why),
  QuotaExceeded: ({ quota, limit }) => limitExceeded(`Cannot exceed quota for ${quota}: ${String(limit)}`),
  InlinePoliciesTooLarge: ({ kind, name, limit }) =>
    limitExceeded(`Maximum policy size of ${String(limit)} bytes exceeded for ${kind} ${name}`),
  TooManyPolicyVersions: () =>
    limitExceeded(
      'A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.',
    ),
  TooManyTags: () => limitExceeded('The number of tags has reached the maximum limit.'),
  PolicyNotChangeable: ({ arn }) => ({
    code: 'AccessDenied',
    message: `Policy ${arn} is managed by AWS and cannot be changed.`,
    status: 403,
  }),
  AccountAliasTaken: ({ alias }) => exists(`The account alias ${alias} already exists.`),
  AccountAliasNotFound: ({ alias }) => noSuchEntity(`The account alias ${alias} cannot be found.`),
  RoleProtected: ({ name }) => ({
    code: 'UnmodifiableEntity',
    message: `Cannot perform the operation on the protected role '${name}' - this role is only modifiable by AWS`,
    status: 400,
  }),
  DefaultVersionNotDeletable: () => deleteConflict('Cannot delete the default version of a policy.'),
};

/** What a refusal is at the API; anything else stays what it is: a bug or an outage. */
export const toAwsError = (error: unknown): unknown => {
  if (!(error instanceof DomainError) || !Object.hasOwn(IAM_ERRORS, error.code)) return error;
  const shapeOf = IAM_ERRORS[error.code as IamErrorCode] as (details: unknown) => AwsErrorShape;
  return new AwsError(shapeOf(error.details));
};
