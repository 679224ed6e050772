import type { iam as api } from '@holdfast/aws-protocol';
import { MAX_POLICY_VERSIONS, QUOTAS } from '../domain/quotas.ts';
import type { ActionsOf } from './action.ts';

export const account: ActionsOf<api.Operations, 'GetAccountSummary'> = {
  GetAccountSummary: async (iam, _input, { accountId }) => {
    const counts = await iam.tables.counts(accountId);
    return {
      SummaryMap: {
        Users: counts.user ?? 0,
        UsersQuota: QUOTAS.UsersPerAccount,
        Groups: counts.group ?? 0,
        GroupsQuota: QUOTAS.GroupsPerAccount,
        Roles: counts.role ?? 0,
        RolesQuota: QUOTAS.RolesPerAccount,
        Policies: counts.policy ?? 0,
        PoliciesQuota: QUOTAS.PoliciesPerAccount,
        InstanceProfiles: counts['instance-profile'] ?? 0,
        InstanceProfilesQuota: QUOTAS.InstanceProfilesPerAccount,
        PolicyVersionsInUse: counts['policy-version'] ?? 0,
        VersionsPerPolicyQuota: MAX_POLICY_VERSIONS,
        AccessKeysPerUserQuota: QUOTAS.AccessKeysPerUser,
        GroupsPerUserQuota: QUOTAS.GroupsPerUser,
        AttachedPoliciesPerUserQuota: QUOTAS.PoliciesPerUser,
        AttachedPoliciesPerGroupQuota: QUOTAS.PoliciesPerGroup,
        AttachedPoliciesPerRoleQuota: QUOTAS.PoliciesPerRole,
        PolicySizeQuota: QUOTAS.PolicySize,
        AssumeRolePolicySizeQuota: QUOTAS.ACLSizePerRole,
        UserPolicySizeQuota: 2048,
        GroupPolicySizeQuota: 5120,
        MFADevices: 0,
        MFADevicesInUse: 0,
        AccountMFAEnabled: 0,
      },
    };
  },
};
