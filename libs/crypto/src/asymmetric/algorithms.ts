/** Key pairs that KMS makes, by its own names, and what Node's crypto must be told for each. */
export const KEY_PAIR_SPECS = {
  RSA_2048: { type: 'rsa', bits: 2048 },
  RSA_3072: { type: 'rsa', bits: 3072 },
  RSA_4096: { type: 'rsa', bits: 4096 },
  ECC_NIST_P256: { type: 'ec', curve: 'prime256v1' },
  ECC_NIST_P384: { type: 'ec', curve: 'secp384r1' },
  ECC_NIST_P521: { type: 'ec', curve: 'secp521r1' },
  ECC_SECG_P256K1: { type: 'ec', curve: 'secp256k1' },
  ECC_NIST_EDWARDS25519: { type: 'ed25519' },
  ML_DSA_44: { type: 'ml-dsa' },
  ML_DSA_65: { type: 'ml-dsa' },
  ML_DSA_87: { type: 'ml-dsa' },
} as const;
export type KeyPairSpec = keyof typeof KEY_PAIR_SPECS;

/** KMS's signing algorithms. `digestBytes`: length of what a caller sends with MessageType DIGEST or EXTERNAL_MU. */
export const SIGNING_ALGORITHMS = {
  RSASSA_PSS_SHA_256: { scheme: 'pss', hash: 'sha256', digestBytes: 32 },
  RSASSA_PSS_SHA_384: { scheme: 'pss', hash: 'sha384', digestBytes: 48 },
  RSASSA_PSS_SHA_512: { scheme: 'pss', hash: 'sha512', digestBytes: 64 },
  RSASSA_PKCS1_V1_5_SHA_256: { scheme: 'pkcs1', hash: 'sha256', digestBytes: 32 },
  RSASSA_PKCS1_V1_5_SHA_384: { scheme: 'pkcs1', hash: 'sha384', digestBytes: 48 },
  RSASSA_PKCS1_V1_5_SHA_512: { scheme: 'pkcs1', hash: 'sha512', digestBytes: 64 },
  ECDSA_SHA_256: { scheme: 'ecdsa', hash: 'sha256', digestBytes: 32 },
  ECDSA_SHA_384: { scheme: 'ecdsa', hash: 'sha384', digestBytes: 48 },
  ECDSA_SHA_512: { scheme: 'ecdsa', hash: 'sha512', digestBytes: 64 },
  /** Pure Ed25519 (RFC 8032 §5.1.6): of whole messages only. */
  ED25519_SHA_512: { scheme: 'ed25519', hash: 'sha512', digestBytes: 64 },
  /** Ed25519ph: of SHA-512 digests only. */
  ED25519_PH_SHA_512: { scheme: 'ed25519ph', hash: 'sha512', digestBytes: 64 },
  /** ML-DSA (FIPS 204) of whole messages, or of their 64-byte representatives µ. */
  ML_DSA_SHAKE_256: { scheme: 'ml-dsa', hash: 'shake256', digestBytes: 64 },
} as const;
export type SigningAlgorithm = keyof typeof SIGNING_ALGORITHMS;
export type HashName = Exclude<(typeof SIGNING_ALGORITHMS)[SigningAlgorithm]['hash'], 'shake256'>;

/** A whole message, hashed here, or its digest, hashed by the caller; of ML-DSA the µ of message and public key. */
export const MESSAGE_TYPES = ['RAW', 'DIGEST', 'EXTERNAL_MU'] as const;
export type MessageType = (typeof MESSAGE_TYPES)[number];

/** Bytes of RSAES-OAEP's two digests beside the message: 2 × hash + 2. */
export const OAEP_ALGORITHMS = {
  RSAES_OAEP_SHA_1: { hash: 'sha1', overheadBytes: 42 },
  RSAES_OAEP_SHA_256: { hash: 'sha256', overheadBytes: 66 },
} as const;
export type OaepAlgorithm = keyof typeof OAEP_ALGORITHMS;

export const MAC_ALGORITHMS = {
  HMAC_SHA_224: { hash: 'sha224' },
  HMAC_SHA_256: { hash: 'sha256' },
  HMAC_SHA_384: { hash: 'sha384' },
  HMAC_SHA_512: { hash: 'sha512' },
} as const;
export type MacAlgorithm = keyof typeof MAC_ALGORITHMS;
