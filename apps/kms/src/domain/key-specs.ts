import { refuse } from './errors.ts';

/** Which keys there are and what each can do, as data. @see KMS API reference, CreateKey; KMS developer guide, Key spec reference */

export const KEY_USAGES = ['SIGN_VERIFY', 'ENCRYPT_DECRYPT', 'GENERATE_VERIFY_MAC', 'KEY_AGREEMENT'] as const;
export type KeyUsage = (typeof KEY_USAGES)[number];

/** The usage that AWS's model has beside them: of ML-KEM's specs, which are refused. */
export const FOREIGN_KEY_USAGE = 'ENCAPSULATE_DECAPSULATE';

type Algorithms = Readonly<Partial<Record<KeyUsage, readonly string[]>>>;

interface SpecRow {
  readonly kind: 'symmetric' | 'hmac' | 'pair';
  /** Bytes of secret material; of a pair, whatever PKCS #8 takes. */
  readonly materialBytes?: number;
  readonly algorithms: Algorithms;
}

const OAEP = ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'] as const;
const RSA_SIGNATURES = [
  'RSASSA_PKCS1_V1_5_SHA_256',
  'RSASSA_PKCS1_V1_5_SHA_384',
  'RSASSA_PKCS1_V1_5_SHA_512',
  'RSASSA_PSS_SHA_256',
  'RSASSA_PSS_SHA_384',
  'RSASSA_PSS_SHA_512',
] as const;
const RSA: SpecRow = { kind: 'pair', algorithms: { ENCRYPT_DECRYPT: OAEP, SIGN_VERIFY: RSA_SIGNATURES } };
const curve = (signature: string): SpecRow => ({
  kind: 'pair',
  algorithms: { SIGN_VERIFY: [signature], KEY_AGREEMENT: ['ECDH'] },
});
const ML_DSA: SpecRow = { kind: 'pair', algorithms: { SIGN_VERIFY: ['ML_DSA_SHAKE_256'] } };
const hmac = (materialBytes: number, algorithm: string): SpecRow => ({
  kind: 'hmac',
  materialBytes,
  algorithms: { GENERATE_VERIFY_MAC: [algorithm] },
});

const SPECS = {
  RSA_2048: RSA,
  RSA_3072: RSA,
  RSA_4096: RSA,
  ECC_NIST_P256: curve('ECDSA_SHA_256'),
  ECC_NIST_P384: curve('ECDSA_SHA_384'),
  ECC_NIST_P521: curve('ECDSA_SHA_512'),
  ECC_SECG_P256K1: { kind: 'pair', algorithms: { SIGN_VERIFY: ['ECDSA_SHA_256'] } },
  SYMMETRIC_DEFAULT: {
    kind: 'symmetric',
    materialBytes: 32,
    algorithms: { ENCRYPT_DECRYPT: ['SYMMETRIC_DEFAULT'] },
  },
  HMAC_224: hmac(28, 'HMAC_SHA_224'),
  HMAC_256: hmac(32, 'HMAC_SHA_256'),
  HMAC_384: hmac(48, 'HMAC_SHA_384'),
  HMAC_512: hmac(64, 'HMAC_SHA_512'),
  ECC_NIST_EDWARDS25519: {
    kind: 'pair',
    algorithms: { SIGN_VERIFY: ['ED25519_SHA_512', 'ED25519_PH_SHA_512'] },
  },
  ML_DSA_44: ML_DSA,
  ML_DSA_65: ML_DSA,
  ML_DSA_87: ML_DSA,
} as const satisfies Record<string, SpecRow>;

/** The key specs that there are here. */
export type KeySpec = keyof typeof SPECS;
export const KEY_SPECS: Readonly<Record<KeySpec, SpecRow>> = SPECS;

/** Specs of AWS's model that are refused by name: ML-KEM's, and the one that Amazon has in China only. */
export const FOREIGN_KEY_SPECS = ['SM2', 'ML_KEM_512', 'ML_KEM_768', 'ML_KEM_1024'] as const;

export const KEY_SPEC_NAMES = [...(Object.keys(SPECS) as KeySpec[]), ...FOREIGN_KEY_SPECS];

export const isKeySpec = (name: string): name is KeySpec => Object.hasOwn(SPECS, name);

/** The specs of public and private keys. */
export type PairSpec = Exclude<KeySpec, 'SYMMETRIC_DEFAULT' | `HMAC_${string}`>;

/** Of these, the ones whose pairs serve as data keys: the model's KeyPairSpec has no ML-DSA. */
export const isDataPairSpec = (spec: PairSpec): boolean => !spec.startsWith('ML_DSA_');

export const isPairSpec = (spec: KeySpec): spec is PairSpec => KEY_SPECS[spec].kind === 'pair';

/** Which member of KeyMetadata and GetPublicKey lists the algorithms of a usage. */
export const ALGORITHM_LISTS: Readonly<Record<KeyUsage, string>> = {
  ENCRYPT_DECRYPT: 'EncryptionAlgorithms',
  SIGN_VERIFY: 'SigningAlgorithms',
  GENERATE_VERIFY_MAC: 'MacAlgorithms',
  KEY_AGREEMENT: 'KeyAgreementAlgorithms',
};

export interface KeyKind {
  readonly keySpec: KeySpec;
  readonly keyUsage: KeyUsage;
}

export const algorithmsOf = ({ keySpec, keyUsage }: KeyKind): readonly string[] =>
  KEY_SPECS[keySpec].algorithms[keyUsage] ?? [];

/** Of the operations that use a key's material, the usage that each needs. */
export const OPERATION_USAGE = {
  Encrypt: 'ENCRYPT_DECRYPT',
  Decrypt: 'ENCRYPT_DECRYPT',
  ReEncryptFrom: 'ENCRYPT_DECRYPT',
  ReEncryptTo: 'ENCRYPT_DECRYPT',
  GenerateDataKey: 'ENCRYPT_DECRYPT',
  GenerateDataKeyWithoutPlaintext: 'ENCRYPT_DECRYPT',
  GenerateDataKeyPair: 'ENCRYPT_DECRYPT',
  GenerateDataKeyPairWithoutPlaintext: 'ENCRYPT_DECRYPT',
  Sign: 'SIGN_VERIFY',
  Verify: 'SIGN_VERIFY',
  GenerateMac: 'GENERATE_VERIFY_MAC',
  VerifyMac: 'GENERATE_VERIFY_MAC',
  DeriveSharedSecret: 'KEY_AGREEMENT',
} as const satisfies Record<string, KeyUsage>;
export type CryptographicOperation = keyof typeof OPERATION_USAGE;

/** Data keys and pairs come wrapped, which only symmetric keys do. */
const SYMMETRIC_ONLY: ReadonlySet<CryptographicOperation> = new Set([
  'GenerateDataKey',
  'GenerateDataKeyWithoutPlaintext',
  'GenerateDataKeyPair',
  'GenerateDataKeyPairWithoutPlaintext',
]);

/** The name that a refusal shows: the API has one ReEncrypt. */
export const apiName = (operation: CryptographicOperation): string =>
  operation.startsWith('ReEncrypt') ? 'ReEncrypt' : operation;

/**
 * May a key of this kind do this operation with this algorithm?
 * @param algorithm absent: the only one that the operation knows.
 * @throws DomainError InvalidKeyUsage | IncompatibleAlgorithm
 */
export const requireUsage = (
  operation: CryptographicOperation,
  key: KeyKind & { readonly arn: string },
  algorithm?: string,
): void => {
  const { keySpec, keyUsage, arn } = key;
  if (OPERATION_USAGE[operation] !== keyUsage) {
    refuse('InvalidKeyUsage', { arn, keyUsage, operation: apiName(operation) });
  }
  if (SYMMETRIC_ONLY.has(operation) && keySpec !== 'SYMMETRIC_DEFAULT') {
    refuse('InvalidKeySpec', { arn, keySpec, operation });
  }
  if (algorithm !== undefined && !algorithmsOf(key).includes(algorithm)) {
    refuse('IncompatibleAlgorithm', { algorithm, keySpec });
  }
};

/** @throws DomainError Invalid unless the spec has this usage. */
export const checkKind = (keySpec: KeySpec, keyUsage: KeyUsage | typeof FOREIGN_KEY_USAGE | undefined): KeyKind => {
  if (keyUsage === undefined) {
    if (keySpec !== 'SYMMETRIC_DEFAULT') {
      const message = 'You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.';
      return refuse('Invalid', { message });
    }
    return { keySpec, keyUsage: 'ENCRYPT_DECRYPT' };
  }
  if (keyUsage === FOREIGN_KEY_USAGE || KEY_SPECS[keySpec].algorithms[keyUsage] === undefined) {
    return refuse('Invalid', { message: `KeyUsage ${keyUsage} is not compatible with KeySpec ${keySpec}` });
  }
  return { keySpec, keyUsage };
};

/** Grantable operations beside those that use material: about the key itself, and of pairs their public half. */
const isGrantable = (operation: string, { keySpec, keyUsage }: KeyKind): boolean => {
  if (operation === 'CreateGrant' || operation === 'RetireGrant' || operation === 'DescribeKey') return true;
  if (operation === 'GetPublicKey') return KEY_SPECS[keySpec].kind === 'pair';
  const use = operation as CryptographicOperation;
  return OPERATION_USAGE[use] === keyUsage && (!SYMMETRIC_ONLY.has(use) || keySpec === 'SYMMETRIC_DEFAULT');
};

/** @throws DomainError Invalid naming the first operation that such a key cannot do. */
export const checkGrantable = (operations: readonly string[], key: KeyKind & { readonly arn: string }): void => {
  const unfit = operations.find((operation) => !isGrantable(operation, key));
  if (unfit === undefined) return;
  refuse('Invalid', {
    message: `Operation ${unfit} is not valid for ${key.arn}, whose key usage is ${key.keyUsage}.`,
  });
};
