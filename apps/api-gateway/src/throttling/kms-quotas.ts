import type { ParsedRequest } from '@holdfast/aws-protocol';

/** Requests a second. @see KMS developer guide, Request quotas for each AWS KMS API operation */
const PER_OPERATION: Readonly<Record<string, number>> = {
  CancelKeyDeletion: 5,
  CreateAlias: 5,
  CreateGrant: 50,
  CreateKey: 5,
  DeleteAlias: 15,
  DeleteImportedKeyMaterial: 5,
  DescribeKey: 2000,
  DisableKey: 5,
  DisableKeyRotation: 5,
  EnableKey: 5,
  EnableKeyRotation: 15,
  GetKeyPolicy: 1000,
  GetKeyRotationStatus: 1000,
  GetParametersForImport: 0.25,
  GetPublicKey: 2000,
  ImportKeyMaterial: 5,
  ListAliases: 500,
  ListGrants: 100,
  ListKeyPolicies: 100,
  ListKeyRotations: 100,
  ListKeys: 500,
  ListResourceTags: 2000,
  ListRetirableGrants: 100,
  PutKeyPolicy: 15,
  ReplicateKey: 5,
  RetireGrant: 30,
  RevokeGrant: 30,
  RotateKeyOnDemand: 5,
  ScheduleKeyDeletion: 15,
  TagResource: 10,
  UntagResource: 5,
  UpdateAlias: 5,
  UpdateKeyDescription: 5,
  UpdatePrimaryRegion: 5,
};

/** Of operations that the table does not name, which are as rare as those that it gives five. */
const OTHERS = 5;

/** GenerateDataKeyPair and -WithoutPlaintext together, by the pair that is made. */
const PAIRS: Readonly<Record<string, number>> = {
  ECC_NIST_P256: 25,
  ECC_NIST_P384: 10,
  ECC_NIST_P521: 5,
  ECC_NIST_EDWARDS25519: 25,
  ECC_SECG_P256K1: 25,
  RSA_2048: 1,
  RSA_3072: 0.5,
  RSA_4096: 0.1,
};

const BUSY_REGIONS = new Set(['us-east-1', 'us-west-2', 'eu-west-1']);
const LARGE_REGIONS = new Set([
  'us-east-2',
  'ap-southeast-1',
  'ap-southeast-2',
  'ap-northeast-1',
  'eu-central-1',
  'eu-west-2',
]);

const SYMMETRIC = 'symmetric';
const RSA = 'rsa';
const ECC = 'ecc';
const ML_DSA = 'ml-dsa';
const symmetricIn = (region: string): number =>
  BUSY_REGIONS.has(region) ? 100_000 : LARGE_REGIONS.has(region) ? 20_000 : 10_000;

const SHARED: Readonly<Record<string, (region: string) => number>> = {
  [SYMMETRIC]: symmetricIn,
  [RSA]: () => 1000,
  [ECC]: () => 1000,
  [ML_DSA]: () => 1000,
};

const SYMMETRIC_ONLY = new Set([
  'GenerateDataKey',
  'GenerateDataKeyWithoutPlaintext',
  'GenerateMac',
  'GenerateRandom',
  'VerifyMac',
]);

const algorithmOf = ({ input }: ParsedRequest): string => {
  const { SigningAlgorithm, EncryptionAlgorithm, SourceEncryptionAlgorithm } = input as Record<string, unknown>;
  const algorithm = SigningAlgorithm ?? EncryptionAlgorithm ?? SourceEncryptionAlgorithm;
  return typeof algorithm === 'string' ? algorithm : '';
};

/** The quota that a request counts against: its algorithm tells the kind of key, without a look at the key. */
export const kmsQuotaOf = (request: ParsedRequest): string => {
  const { operation, input } = request;
  if (SYMMETRIC_ONLY.has(operation)) return SYMMETRIC;
  if (operation === 'Encrypt' || operation === 'Decrypt' || operation === 'ReEncrypt') {
    return algorithmOf(request).startsWith('RSAES') ? RSA : SYMMETRIC;
  }
  if (operation === 'Sign' || operation === 'Verify') {
    const algorithm = algorithmOf(request);
    return algorithm.startsWith('RSASSA') ? RSA : algorithm.startsWith('ML_DSA') ? ML_DSA : ECC;
  }
  if (operation === 'DeriveSharedSecret') return ECC;
  if (operation.startsWith('GenerateDataKeyPair')) {
    const { KeyPairSpec: spec } = input as { KeyPairSpec?: unknown };
    return `GenerateDataKeyPair-${typeof spec === 'string' && Object.hasOwn(PAIRS, spec) ? spec : 'RSA_2048'}`;
  }
  return operation;
};

/** AWS's default for a quota, in requests a second. */
export const kmsDefault = (quota: string, region: string): number => {
  const pair = quota.startsWith('GenerateDataKeyPair-') ? PAIRS[quota.slice('GenerateDataKeyPair-'.length)] : undefined;
  return SHARED[quota]?.(region) ?? pair ?? PER_OPERATION[quota] ?? OTHERS;
};

/** Every name that a setting can give another rate. */
export const KMS_QUOTAS: readonly string[] = [
  ...Object.keys(SHARED),
  ...Object.keys(PAIRS).map((spec) => `GenerateDataKeyPair-${spec}`),
  ...Object.keys(PER_OPERATION),
];
