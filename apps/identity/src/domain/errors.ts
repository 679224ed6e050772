import { DomainError } from '@holdfast/decider';

/** What IAM may refuse, and what its words for it need. */
export interface IamErrorDetails {
  EntityNotFound: { kind: string; name: string };
  PolicyNotFound: { arn: string };
  PolicyNotAttachable: { arn: string };
  PolicyNotAttached: { arn: string };
  PolicyVersionNotFound: { arn: string; versionId: string };
  InlinePolicyNotFound: { kind: string; name: string };
  BoundaryNotFound: { kind: string; name: string };
  AccessKeyNotFound: { accessKeyId: string };
  NotInGroup: { userName: string; groupName: string };
  RoleNotInProfile: { roleName: string; instanceProfileName: string };
  EntityAlreadyExists: { kind: string; name: string };
  PolicyAlreadyExists: { name: string };
  /** `why`: the message, which says what to do first. */
  DeleteConflict: { why: string };
  QuotaExceeded: { quota: string; limit: number };
  InlinePoliciesTooLarge: { kind: string; name: string; limit: number };
  TooManyPolicyVersions: Record<string, never>;
  TooManyTags: Record<string, never>;
  PolicyNotChangeable: { arn: string };
  AccountAliasTaken: { alias: string };
  AccountAliasNotFound: { alias: string };
  RoleProtected: { name: string };
  DefaultVersionNotDeletable: Record<string, never>;
}
export type IamErrorCode = keyof IamErrorDetails;

export const refuse = <Code extends IamErrorCode>(code: Code, details: IamErrorDetails[Code]): never => {
  throw new DomainError(code, details);
};
