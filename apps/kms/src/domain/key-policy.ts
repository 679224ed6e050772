import type { ProtectedKey } from './authorize.ts';

/** Every key has one policy, under this name. */
export const POLICY_NAME = 'default';

const customerPolicy = (accountId: string) => ({
  Version: '2012-10-17',
  Id: 'key-default-1',
  Statement: [
    {
      Sid: 'Enable IAM User Permissions',
      Effect: 'Allow',
      Principal: { AWS: `arn:aws:iam::${accountId}:root` },
      Action: 'kms:*',
      Resource: '*',
    },
  ],
});

const ebsPolicy = (accountId: string, region: string) => ({
  Version: '2012-10-17',
  Id: 'auto-ebs-2',
  Statement: [
    {
      Sid: 'Allow access through EBS for all principals in the account that are authorized to use EBS',
      Effect: 'Allow',
      Principal: { AWS: '*' },
      Action: [
        'kms:Encrypt',
        'kms:Decrypt',
        'kms:ReEncrypt*',
        'kms:GenerateDataKey*',
        'kms:CreateGrant',
        'kms:DescribeKey',
      ],
      Resource: '*',
      Condition: {
        StringEquals: { 'kms:CallerAccount': accountId, 'kms:ViaService': `ec2.${region}.amazonaws.com` },
      },
    },
    {
      Sid: 'Allow direct access to key metadata to the account',
      Effect: 'Allow',
      Principal: { AWS: `arn:aws:iam::${accountId}:root` },
      Action: ['kms:Describe*', 'kms:Get*', 'kms:List*', 'kms:RevokeGrant'],
      Resource: '*',
    },
  ],
});

/** The policy that `authorize` applies, as GetKeyPolicy shows it. */
export const keyPolicyText = ({ accountId, region, keyManager }: ProtectedKey): string =>
  JSON.stringify(keyManager === 'AWS' ? ebsPolicy(accountId, region) : customerPolicy(accountId), null, 2);
