/** A policy that AWS manages: the same in every account. */
export interface AwsManagedPolicy {
  readonly name: string;
  readonly policyId: string;
  readonly path: string;
  readonly versionId: string;
  readonly description: string;
  readonly document: string;
}

const statement = (Statement: object | readonly object[]) => JSON.stringify({ Version: '2012-10-17', Statement });
const allow = (Action: string | readonly string[]) => ({ Effect: 'Allow', Action, Resource: '*' });

/** Those about what Holdfast has. Actions on services that it lacks are left out: nothing could be asked of them. */
const CATALOGUE: readonly AwsManagedPolicy[] = [
  {
    name: 'AdministratorAccess',
    policyId: 'ANPAIWMBCKSKIEE64ZLYK',
    path: '/',
    versionId: 'v1',
    description: 'Provides full access to AWS services and resources.',
    document: statement([allow('*')]),
  },
  {
    name: 'PowerUserAccess',
    policyId: 'ANPAJYRXTHIB4FOVS3ZXS',
    path: '/',
    versionId: 'v5',
    description:
      'Provides full access to AWS services and resources, but does not allow management of Users and groups.',
    document: statement([
      { Effect: 'Allow', NotAction: ['iam:*', 'organizations:*', 'account:*'], Resource: '*' },
      allow([
        'account:GetAccountInformation',
        'account:GetPrimaryEmail',
        'account:ListRegions',
        'iam:CreateServiceLinkedRole',
        'iam:DeleteServiceLinkedRole',
        'iam:ListRoles',
        'organizations:DescribeOrganization',
      ]),
    ]),
  },
  {
    name: 'ReadOnlyAccess',
    policyId: 'ANPAILL3HVNFSB6DCOWYQ',
    path: '/',
    versionId: 'v1',
    description: 'Provides read-only access to AWS services and resources.',
    document: statement([
      allow([
        'cloudtrail:Describe*',
        'cloudtrail:Get*',
        'cloudtrail:List*',
        'cloudtrail:LookupEvents',
        'ec2:Describe*',
        'ec2:Get*',
        'ec2:List*',
        'iam:Get*',
        'iam:List*',
        'iam:Simulate*',
        'kms:Describe*',
        'kms:Get*',
        'kms:List*',
        'sts:GetAccessKeyInfo',
        'sts:GetCallerIdentity',
        'sts:GetSessionToken',
      ]),
    ]),
  },
  {
    name: 'IAMFullAccess',
    policyId: 'ANPAI7XKCFMBPM3QQRRVQ',
    path: '/',
    versionId: 'v2',
    description: 'Provides full access to IAM via the AWS Management Console.',
    document: statement([allow(['iam:*', 'organizations:DescribeAccount', 'organizations:DescribeOrganization'])]),
  },
  {
    name: 'IAMReadOnlyAccess',
    policyId: 'ANPAJKSO7NDY4T57MWDSQ',
    path: '/',
    versionId: 'v4',
    description: 'Provides read only access to IAM via the AWS Management Console.',
    document: statement([
      allow([
        'iam:GenerateCredentialReport',
        'iam:GenerateServiceLastAccessedDetails',
        'iam:Get*',
        'iam:List*',
        'iam:SimulateCustomPolicy',
        'iam:SimulatePrincipalPolicy',
      ]),
    ]),
  },
  {
    name: 'AmazonEC2FullAccess',
    policyId: 'ANPAI3VAJF5ZCRZ7MCQE6',
    path: '/',
    versionId: 'v5',
    description: 'Provides full access to Amazon EC2 via the AWS Management Console.',
    document: statement([allow('ec2:*')]),
  },
  {
    name: 'AmazonEC2ReadOnlyAccess',
    policyId: 'ANPAIGDT4SV4GSETWTBZK',
    path: '/',
    versionId: 'v2',
    description: 'Provides read only access to Amazon EC2 via the AWS Management Console.',
    document: statement([allow(['ec2:Describe*', 'ec2:Get*'])]),
  },
  {
    name: 'AWSKeyManagementServicePowerUser',
    policyId: 'ANPAJNPP7PPPPMJRV2SA4',
    path: '/',
    versionId: 'v3',
    description: 'Provides access to AWS Key Management Service (KMS).',
    document: statement(
      allow([
        'kms:CreateAlias',
        'kms:CreateKey',
        'kms:DeleteAlias',
        'kms:Describe*',
        'kms:GenerateRandom',
        'kms:Get*',
        'kms:List*',
        'kms:TagResource',
        'kms:UntagResource',
        'iam:ListGroups',
        'iam:ListRoles',
        'iam:ListUsers',
      ]),
    ),
  },
];

const PREFIX = 'arn:aws:iam::aws:policy';
const byArn = new Map(CATALOGUE.map((policy) => [PREFIX + policy.path + policy.name, policy]));

/** By ARN, e.g. `arn:aws:iam::aws:policy/AdministratorAccess`; null when there is none. */
export const awsManagedPolicy = (arn: string): AwsManagedPolicy | null => byArn.get(arn) ?? null;

export const awsManagedPolicies: readonly (AwsManagedPolicy & { readonly arn: string })[] = [...byArn].map(
  ([arn, policy]) => ({ ...policy, arn }),
);
