import { operations, type ServiceId } from '@holdfast/aws-protocol';

interface Resources {
  /** A key, and what exists under it. */
  keyArn: string;
  ciphertextBlob: Uint8Array;
  grantId: string;
  /** What EC2 looks for before it looks at permissions. */
  volumeId: string;
  snapshotId: string;
  accountId: string;
  region: string;
}

const BYTES = Buffer.from('some bytes');
const POLICY = JSON.stringify({ Statement: { Effect: 'Allow', Action: 'ec2:*', Resource: '*' } });

/** A value that every check of shape lets pass, by the name of the member. */
const CONSTANTS: Readonly<Record<string, unknown>> = {
  AssociationId: 'iip-assoc-0123456789abcdef0',
  AccessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  AliasName: 'alias/some-name',
  AssumeRolePolicyDocument: POLICY,
  Audience: ['some-name'],
  Attribute: 'createVolumePermission',
  DeprecateAt: new Date('2030-01-01T00:00:00Z'),
  BlockData: BYTES,
  BlockIndex: 0,
  BlockToken: 'dG9rZW4=',
  ChangedBlocksCount: 1,
  Checksum: BYTES.toString('base64'),
  ChecksumAlgorithm: 'SHA256',
  CustomKeyStoreName: 'some-name',
  DataLength: BYTES.length,
  EncapsulationAlgorithm: 'ML_KEM',
  EncodedMessage: 'message',
  IamInstanceProfile: { Name: 'some-name' },
  ImportToken: BYTES,
  EncryptedKeyMaterial: BYTES,
  InstanceId: 'i-0123456789abcdef0',
  InstanceSpecification: { InstanceId: 'i-0123456789abcdef0' },
  InstanceCreditSpecifications: [{ InstanceId: 'i-0123456789abcdef0', CpuCredits: 'standard' }],
  InstanceIds: ['i-0123456789abcdef0'],
  KeyAgreementAlgorithm: 'ECDH',
  KeyPairSpec: 'RSA_2048',
  KeySpec: 'AES_256',
  Mac: BYTES,
  MacAlgorithm: 'HMAC_SHA_256',
  MaxCount: 1,
  Message: BYTES,
  MinCount: 1,
  Name: 'some-name',
  NewSnapshotId: 'snap-0123456789abcdef0',
  NumberOfBytes: 16,
  Operations: ['Decrypt'],
  Plaintext: BYTES,
  Policy: POLICY,
  PolicyDocument: POLICY,
  PolicyInputList: [POLICY],
  ActionNames: ['ec2:DescribeVolumes'],
  PrimaryRegion: 'us-east-1',
  PublicKey: BYTES,
  PublicKeyMaterial: BYTES,
  ReplicaRegion: 'us-east-1',
  Resources: ['vol-0123456789abcdef0'],
  RoleSessionName: 'some-name',
  SecondSnapshotId: 'snap-0123456789abcdef0',
  SharedSecretCiphertextBlob: BYTES,
  Signature: BYTES,
  SigningAlgorithm: 'ECDSA_SHA_256',
  ResourceArn: 'arn:aws:rbin:eu-central-1:111122223333:rule/aBcDeFgHiJk',
  RetentionPeriod: { RetentionPeriodValue: 1, RetentionPeriodUnit: 'DAYS' },
  Identifier: 'aBcDeFgHiJk',
  LockConfiguration: { UnlockDelay: { UnlockDelayValue: 7, UnlockDelayUnit: 'DAYS' } },
  SnapshotId: 'snap-0123456789abcdef0',
  SourceSnapshotIds: ['snap-0123456789abcdef0'],
  SourceSnapshotId: 'snap-0123456789abcdef0',
  Status: 'Inactive',
  TagKeys: ['k'],
  Tags: [{ Key: 'k', Value: 'v', TagKey: 'k', TagValue: 'v' }],
  TaskPolicyArn: { arn: 'arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials' },
  VersionId: 'v1',
  VolumeId: 'vol-0123456789abcdef0',
  VolumeSize: 1,
  WrappingAlgorithm: 'RSAES_OAEP_SHA_256',
  WrappingKeySpec: 'RSA_2048',
};

const values = ({
  keyArn,
  ciphertextBlob,
  grantId,
  accountId,
  region,
}: Resources): Readonly<Record<string, unknown>> => ({
  ...CONSTANTS,
  AvailabilityZones: [`${region}a`],
  CiphertextBlob: ciphertextBlob,
  DestinationKeyId: keyArn,
  GrantId: grantId,
  GranteePrincipal: `arn:aws:iam::${accountId}:root`,
  KeyId: keyArn,
  PermissionsBoundary: `arn:aws:iam::${accountId}:policy/some-name`,
  PolicyArn: `arn:aws:iam::${accountId}:policy/some-name`,
  PolicySourceArn: `arn:aws:iam::${accountId}:user/some-name`,
  PrincipalArn: `arn:aws:iam::${accountId}:user/some-name`,
  RetiringPrincipal: `arn:aws:iam::${accountId}:root`,
  RoleArn: `arn:aws:iam::${accountId}:role/some-name`,
  SourceRegion: region,
  TargetKeyId: keyArn,
  TargetPrincipal: accountId,
});

/** What an operation needs beyond the members that its model requires. */
const more = ({
  keyArn,
  grantId,
  ciphertextBlob,
  volumeId,
  snapshotId,
  accountId,
  region,
}: Resources): Readonly<Record<string, Record<string, unknown>>> => ({
  'ec2 CreateVolume': { AvailabilityZone: `${region}a`, Size: 1 },
  'ec2 DeleteVolume': { VolumeId: volumeId },
  'ec2 ModifySnapshotAttribute': {
    SnapshotId: snapshotId,
    CreateVolumePermission: { Add: [{ UserId: accountId }] },
  },
  'kms Decrypt': { CiphertextBlob: ciphertextBlob },
  'kms ReEncrypt': { CiphertextBlob: ciphertextBlob },
  'kms RetireGrant': { KeyId: keyArn, GrantId: grantId },
  'kms GenerateDataKey': { KeySpec: 'AES_256' },
  'kms GenerateDataKeyWithoutPlaintext': { KeySpec: 'AES_256' },
  'kms GenerateRandom': { NumberOfBytes: 16 },
  'kms ImportKeyMaterial': { ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' },
  'rbin CreateRule': { ResourceType: 'EBS_SNAPSHOT' },
  'rbin ListRules': { ResourceType: 'EBS_SNAPSHOT' },
  'sts GetWebIdentityToken': { SigningAlgorithm: 'RS256' },
  'kms CreateGrant': { GranteePrincipal: 'arn:aws:iam::111122223333:root' },
  'kms ListRetirableGrants': { RetiringPrincipal: 'arn:aws:iam::111122223333:root' },
});

/** An input that is well formed and does as little as possible, so that only the caller's permissions are left to refuse it. */
export const minimalInput = (service: ServiceId, operation: string, resources: Resources): Record<string, unknown> => {
  const known = values(resources);
  const { requiredMembers = [] } = operations(service).get(operation) ?? {};
  const required = requiredMembers.map((member) => [member, known[member] ?? 'some-name']);
  return { ...Object.fromEntries(required), ...more(resources)[`${service} ${operation}`] };
};
