export type ConditionKeyType = 'string' | 'arn' | 'bool' | 'numeric' | 'date' | 'ip';

export interface ConditionKey {
  /** In AWS's spelling; of a family, the part before the variable one: `aws:RequestTag/`. */
  readonly name: string;
  readonly type: ConditionKeyType;
  /** Takes ForAllValues and ForAnyValue. */
  readonly multivalued: boolean;
}

const keys = (type: ConditionKeyType, prefix: string, names: string): ConditionKey[] =>
  names.split(' ').map((name) => ({ name: prefix + name, type, multivalued: false }));

const multivalued = (prefix: string, names: string): ConditionKey[] =>
  keys('string', prefix, names).map((key) => ({ ...key, multivalued: true }));

/** The keys that Holdfast's services fill or know. Families end in `/` or `:`. */
export const CONDITION_KEYS: readonly ConditionKey[] = [
  ...keys('arn', 'aws:', 'PrincipalArn SourceArn'),
  ...keys('string', 'aws:', 'PrincipalAccount PrincipalType PrincipalOrgID PrincipalServiceName userid username'),
  ...keys(
    'string',
    'aws:',
    'PrincipalTag/ SourceVpc SourceVpce SourceAccount SourceIdentity UserAgent Referer CalledViaFirst',
  ),
  ...keys('string', 'aws:', 'CalledViaLast RequestedRegion RequestTag/ ResourceTag/ ResourceAccount ResourceOrgID'),
  ...keys('bool', 'aws:', 'PrincipalIsAWSService SecureTransport MultiFactorAuthPresent ViaAWSService'),
  ...keys('date', 'aws:', 'CurrentTime EpochTime TokenIssueTime'),
  ...keys('ip', 'aws:', 'SourceIp'),
  ...keys('numeric', 'aws:', 'MultiFactorAuthAge'),
  ...multivalued('aws:', 'CalledVia TagKeys PrincipalOrgPaths'),
  ...keys('string', 'kms:', 'ViaService CallerAccount EncryptionContext: GrantConstraintType GranteePrincipal'),
  ...keys('string', 'kms:', 'RetiringPrincipal KeySpec KeyUsage KeyOrigin MultiRegionKeyType CustomerMasterKeySpec'),
  ...keys('string', 'kms:', 'CustomerMasterKeyUsage EncryptionAlgorithm SigningAlgorithm MacAlgorithm RequestAlias'),
  ...keys('string', 'kms:', 'KeyAgreementAlgorithm MessageType DataKeyPairSpec ExpirationModel WrappingAlgorithm'),
  ...keys('string', 'kms:', 'WrappingKeySpec PrimaryRegion ReplicaRegion RecipientAttestation:'),
  ...keys('bool', 'kms:', 'GrantIsForAWSResource MultiRegion ReEncryptOnSameKey BypassPolicyLockoutSafetyCheck'),
  ...keys('numeric', 'kms:', 'ScheduleKeyDeletionPendingWindowInDays RotationPeriodInDays TrailingDaysWithoutKeyUsage'),
  ...keys('date', 'kms:', 'ValidTo'),
  ...multivalued('kms:', 'EncryptionContextKeys GrantOperations ResourceAliases'),
  ...keys('bool', 'ec2:', 'Encrypted IsLaunchTemplateResource'),
  ...keys('arn', 'ec2:', 'ParentSnapshot ParentVolume InstanceProfile NewInstanceProfile'),
  ...keys('string', 'ec2:', 'KmsKeyId VolumeType VolumeID SnapshotID Owner AvailabilityZone AvailabilityZoneId Region'),
  ...keys('string', 'ec2:', 'InstanceType ImageID RootDeviceType Tenancy ResourceTag/ CreateAction'),
  ...multivalued('ec2:', 'Add/userId Add/group Remove/userId Remove/group'),
  ...keys('string', 'ec2:', 'Attribute Attribute/ SourceSnapshot KeyPairName KeyPairType'),
  ...keys('numeric', 'ec2:', 'VolumeSize VolumeIops VolumeThroughput SnapshotLockDuration SnapshotCoolOffPeriod'),
  ...keys('numeric', 'ec2:', 'VolumeInitializationRate'),
  ...keys('date', 'ec2:', 'SnapshotTime'),
  ...keys('string', 'ebs:', 'Description'),
  ...keys('numeric', 'ebs:', 'VolumeSize'),
  ...keys('arn', 'ebs:', 'ParentSnapshot'),
  ...keys('string', 'sts:', 'ExternalId RoleSessionName SourceIdentity'),
  ...multivalued('sts:', 'TransitiveTagKeys'),
  ...keys('arn', 'iam:', 'PermissionsBoundary PolicyARN AssociatedResourceArn'),
  ...keys('string', 'iam:', 'PassedToService AWSServiceName ResourceTag/'),
];

const EXACT: ReadonlyMap<string, ConditionKey> = new Map(CONDITION_KEYS.map((key) => [key.name.toLowerCase(), key]));
const FAMILIES = CONDITION_KEYS.filter(({ name }) => /[/:]$/.test(name));

/** Null: no key that Holdfast knows. @param name in any case */
export const conditionKey = (name: string): ConditionKey | null => {
  const lower = name.toLowerCase();
  const member = ({ name: family }: ConditionKey) =>
    lower.length > family.length && lower.startsWith(family.toLowerCase());
  const exact = EXACT.get(lower);
  if (exact !== undefined && !FAMILIES.includes(exact)) return exact;
  return FAMILIES.find(member) ?? null;
};
