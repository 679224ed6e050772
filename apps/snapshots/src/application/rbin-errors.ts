import { AwsError } from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';
import type { RuleErrorCode } from '../domain/recycle-rule.decider.ts';

/** The Recycle Bin's own errors, with the reason that its clients look at. */
export const rbinInvalid = (message: string, Reason = 'INVALID_PARAMETER_VALUE'): AwsError =>
  new AwsError({ code: 'ValidationException', message, members: { Reason } });

export const rbinQuotaExceeded = (): AwsError =>
  new AwsError({
    code: 'ServiceQuotaExceededException',
    message: 'The maximum number of retention rules for the Region has been reached.',
    members: { Reason: 'SERVICE_QUOTA_EXCEEDED' },
  });

export const ruleNotFound = (ruleId: string): AwsError =>
  new AwsError({
    code: 'ResourceNotFoundException',
    message: `Rule with identifier ${ruleId} not found.`,
    members: { Reason: 'RULE_NOT_FOUND' },
  });

const conflict = (message: string): AwsError =>
  new AwsError({ code: 'ConflictException', message, members: { Reason: 'INVALID_RULE_STATE' } });

type Details = Readonly<Record<string, unknown>>;

const ERRORS: Readonly<Record<RuleErrorCode, (ruleId: string, details: Details) => AwsError>> = {
  ExclusionOfTagRule: () => rbinInvalid('Exclusion tags can be specified for Region-level retention rules only.'),
  ResourceTypeFixed: () => rbinInvalid('The resource type of a retention rule cannot be changed.'),
  RetentionTooLong: (_, { resourceType, maximum }) =>
    rbinInvalid(
      `The retention period of rules for the resource type ${String(resourceType)} must be between 1 and ${String(maximum)} days.`,
    ),
  RuleAlreadyExists: () => new AwsError({ code: 'InternalServerException', status: 500 }),
  RuleLocked: (ruleId) => conflict(`Rule with identifier ${ruleId} is locked.`),
  RuleNotFound: ruleNotFound,
  RuleNotLockable: () => rbinInvalid('Only Region-level retention rules without exclusion tags can be locked.'),
  RuleNotLocked: (ruleId) => conflict(`Rule with identifier ${ruleId} is not locked.`),
  RuleTagsExceeded: () => rbinInvalid('A retention rule can have at most 50 tags.'),
};

const isRuleError = (code: string): code is RuleErrorCode => Object.hasOwn(ERRORS, code);

/** A rule's refusal in the Recycle Bin's words; anything else stays what it is. */
export const toRbinError = (thrown: unknown): unknown =>
  thrown instanceof DomainError && isRuleError(thrown.code)
    ? ERRORS[thrown.code](String(thrown.details['ruleId']), thrown.details)
    : thrown;
