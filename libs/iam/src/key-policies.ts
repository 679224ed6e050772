import { rootArn } from './principal.ts';

type Json = string | readonly Json[] | { readonly [name: string]: Json };

/** As AWS lays out the policies that it writes itself: ` : ` after names, lists on one line but for the objects in them. */
const prettyPrint = (value: Json, indent = ''): string => {
  if (typeof value === 'string') return JSON.stringify(value);
  if (Array.isArray(value)) return `[ ${value.map((item: Json) => prettyPrint(item, indent)).join(', ')} ]`;
  const inner = `${indent}  `;
  const members = Object.entries(value).map(([name, member]) => `${inner}"${name}" : ${prettyPrint(member, inner)}`);
  return `{\n${members.join(',\n')}\n${indent}}`;
};

/** The policy of a key that was created without one: it leaves all to the account's identity-based policies. */
export const defaultKeyPolicy = (accountId: string): string =>
  prettyPrint({
    Version: '2012-10-17',
    Id: 'key-default-1',
    Statement: [
      {
        Sid: 'Enable IAM User Permissions',
        Effect: 'Allow',
        Principal: { AWS: rootArn(accountId) },
        Action: 'kms:*',
        Resource: '*',
      },
    ],
  });

/** The policy of `alias/aws/ebs`: everybody in the account, but only through EC2; and its metadata to the account. */
export const ebsKeyPolicy = (accountId: string, region: string): string =>
  prettyPrint({
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
        Principal: { AWS: rootArn(accountId) },
        Action: ['kms:Describe*', 'kms:Get*', 'kms:List*', 'kms:RevokeGrant'],
        Resource: '*',
      },
    ],
  });
