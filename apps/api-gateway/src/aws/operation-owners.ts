import type { ServiceId } from '@holdfast/aws-protocol';
import type { ServiceName } from '@holdfast/messaging';

const KMS_OPERATIONS = [
  'CancelKeyDeletion',
  'CreateAlias',
  'CreateGrant',
  'CreateKey',
  'Decrypt',
  'DeleteAlias',
  'DescribeKey',
  'DisableKey',
  'EnableKey',
  'Encrypt',
  'GenerateDataKey',
  'GenerateDataKeyWithoutPlaintext',
  'GetKeyPolicy',
  'GetKeyRotationStatus',
  'ListAliases',
  'ListGrants',
  'ListKeyPolicies',
  'ListKeys',
  'ListResourceTags',
  'ReEncrypt',
  'RetireGrant',
  'RevokeGrant',
  'ScheduleKeyDeletion',
  'TagResource',
  'UntagResource',
  'UpdateAlias',
  'UpdateKeyDescription',
] as const;

/** `tags`: split by kind of resource and put together again, in the gateway. */
type Owner = ServiceName | 'tags';

/** Which service answers an operation. One that is in no table is one we do not have, and is refused as such. */
const OWNERS: Readonly<Record<ServiceId, ReadonlyMap<string, Owner>>> = {
  ec2: new Map<string, Owner>([
    ['CreateVolume', 'volumes'],
    ['DescribeVolumes', 'volumes'],
    ['DeleteVolume', 'volumes'],
    ['AttachVolume', 'volumes'],
    ['DetachVolume', 'volumes'],
    ['CreateSnapshot', 'snapshots'],
    ['DescribeSnapshots', 'snapshots'],
    ['CopySnapshot', 'snapshots'],
    ['DeleteSnapshot', 'snapshots'],
    ['RunInstances', 'instances'],
    ['DescribeInstances', 'instances'],
    ['TerminateInstances', 'instances'],
    ['DescribeImages', 'instances'],
    ['DescribeRegions', 'instances'],
    ['DescribeAvailabilityZones', 'instances'],
    ['GetEbsEncryptionByDefault', 'account-settings'],
    ['EnableEbsEncryptionByDefault', 'account-settings'],
    ['DisableEbsEncryptionByDefault', 'account-settings'],
    ['GetEbsDefaultKmsKeyId', 'account-settings'],
    ['ModifyEbsDefaultKmsKeyId', 'account-settings'],
    ['ResetEbsDefaultKmsKeyId', 'account-settings'],
    ['CreateTags', 'tags'],
    ['DeleteTags', 'tags'],
    ['DescribeTags', 'tags'],
  ]),
  kms: new Map(KMS_OPERATIONS.map((operation) => [operation, 'kms'])),
  sts: new Map([['GetCallerIdentity', 'identity']]),
  ebs: new Map(),
  iam: new Map(),
  cloudtrail: new Map(),
};

export const ownerOf = (service: ServiceId, operation: string): Owner | null => OWNERS[service].get(operation) ?? null;

/** Every service that must be there for the gateway to be healthy. */
export const SERVICES: readonly ServiceName[] = [
  'account-settings',
  'data-plane',
  'identity',
  'instances',
  'kms',
  'snapshots',
  'volumes',
];
