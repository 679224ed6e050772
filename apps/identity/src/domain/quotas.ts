import type { EntityKind } from './iam.events.ts';

/** AWS's defaults, under AWS's names. @see IAM and AWS STS quotas */
export const QUOTAS = {
  AccessKeysPerUser: 2,
  UsersPerAccount: 5000,
  GroupsPerAccount: 300,
  RolesPerAccount: 1000,
  PoliciesPerAccount: 1500,
  InstanceProfilesPerAccount: 1000,
  GroupsPerUser: 10,
  InstanceSessionsPerInstanceProfile: 1,
  PoliciesPerUser: 10,
  PoliciesPerGroup: 10,
  PoliciesPerRole: 10,
  /** Characters that are no white space. */
  PolicySize: 6144,
  ACLSizePerRole: 2048,
} as const;

export const MAX_TAGS = 50;
export const MAX_POLICY_VERSIONS = 5;

/** All inline policies of one entity together, in characters that are no white space. */
export const INLINE_POLICIES_CHARACTERS: Readonly<Record<EntityKind, number>> = {
  user: 2048,
  role: 10_240,
  group: 5120,
};

/** The size of a policy as quotas count it. */
export const sizeOf = (document: string): number => document.replaceAll(/\s/g, '').length;

/** Under it are the roles that services change, and their accounts do not. */
export const SERVICE_ROLE_PATH = '/aws-service-role/';
