import type { AccountId, Instant } from './ids.ts';
import type { Principal } from './request-context.ts';

/** A policy as it counts for one principal, and where it comes from, in SimulatePrincipalPolicy's words. */
export interface SourcedPolicy {
  /** ARN of a managed policy; of an inline one `user_<user>_<policy>`, `role_…` or `group_…`; `session` of a session's own. */
  sourceId: string;
  sourceType: 'user' | 'group' | 'role' | 'aws-managed' | 'user-managed' | 'none';
  /** The policy document as it was sent: JSON. */
  document: string;
}

/** What a principal's identity contributes to a decision. */
export interface PrincipalPolicies {
  /** Inline and attached ones, of a user also its groups'. None for the account's root user, whom no identity policy limits. */
  identityPolicies: SourcedPolicy[];
  /** What identity policies can allow at most. Absent: no limit. */
  permissionsBoundary?: SourcedPolicy;
  /**
   * Absent: not a session, or one without session policies. Present: it may do only what one of these also allows; for a
   * federated user that passed none this is an empty list, which allows nothing.
   */
  sessionPolicies?: SourcedPolicy[];
  /** `aws:PrincipalTag/…`: the user's or role's tags, and over them the session's. */
  principalTags: Record<string, string>;
  /** Of a user, and of a federated user's issuer. */
  userName?: string;
  /** `aws:userid`. */
  userId: string;
}

/** `version` changes with every change to the account's IAM; an asker that holds the answer of `ifNoneMatch` gets no other. */
export type PrincipalPoliciesAnswer =
  | { version: string; notModified: true }
  | { version: string; notModified: false; policies: PrincipalPolicies }
  /** The user, role or session is no more: nothing is allowed to it. */
  | null;

/** `identity`'s own requests. */
export interface IdentityRequests {
  /**
   * The SigV4 signing key of one day, Region and service, sealed to the asker's HPKE key; info = `signing-key`.
   * `null` when no such access key exists, it is inactive, or its user or role is gone. A temporary key comes with its
   * session token (sealed, info = `session-token`) and the end of its life.
   */
  ResolveSigningKey: {
    in: { accessKeyId: string; date: string; region: string; service: string; recipientPublicKey: string };
    out: {
      principal: Principal;
      accountId: AccountId;
      sealedSigningKey: string;
      sealedSessionToken?: string;
      expiresAt?: Instant;
    } | null;
  };
  /** Whatever the account: asked by whoever enforces. Answers may be kept for a second, then asked for with `ifNoneMatch`. */
  GetPrincipalPolicies: { in: { principal: Principal; ifNoneMatch?: string }; out: PrincipalPoliciesAnswer };
  /**
   * What a name in an IAM call of the context's account stands for: the ARN with its path and in its own spelling, which
   * policies are written against, and its tags (`iam:ResourceTag/…`). `name` of a policy is its ARN. Null: there is none.
   */
  GetIamResource: {
    in: { kind: 'user' | 'group' | 'role' | 'instance-profile' | 'policy'; name: string };
    out: { arn: string; tags: Record<string, string> } | null;
  };
  /** An instance profile of the context's account, by name or ARN. `roleArn` null: no role is in it. Null: there is none. */
  FindInstanceProfile: {
    in: { name: string } | { arn: string };
    out: { arn: string; instanceProfileId: string; roleArn: string | null } | null;
  };
  /**
   * Whom names in policies and grants stand for, whatever the account; null: nobody. Users and roles, by ARN or unique id:
   * their unique ids, for the name can be given to somebody else later. Sessions of roles: the role's id. Root ARNs,
   * account numbers and federated users: the account's number. At most 1000 names.
   */
  ResolvePrincipals: { in: { arns: string[] }; out: { principalIds: Record<string, string | null> } };
  /**
   * Encrypts what DecodeAuthorizationMessage shows to the context's account: the decision as JSON, at most
   * MAX_AUTHORIZATION_MESSAGE_BYTES of it.
   */
  EncodeAuthorizationMessage: { in: { message: string }; out: { encodedMessage: string } };
}

/** So that the encoded form stays within STS's 10,240 characters even if nothing of it can be compressed. */
export const MAX_AUTHORIZATION_MESSAGE_BYTES = 7600;
