import type { AccountId, Instant, KeyArn } from '@holdfast/contracts';

/** Every operation that AWS lets a grant name. */
export const GRANT_OPERATIONS = [
  'Decrypt',
  'Encrypt',
  'GenerateDataKey',
  'GenerateDataKeyWithoutPlaintext',
  'ReEncryptFrom',
  'ReEncryptTo',
  'Sign',
  'Verify',
  'GetPublicKey',
  'CreateGrant',
  'RetireGrant',
  'DescribeKey',
  'GenerateDataKeyPair',
  'GenerateDataKeyPairWithoutPlaintext',
  'GenerateMac',
  'VerifyMac',
  'DeriveSharedSecret',
] as const;
export type GrantOperation = (typeof GRANT_OPERATIONS)[number];

/** Of the encryption context that a use must bring: these pairs among others, or exactly these. */
export interface GrantConstraints {
  EncryptionContextSubset?: Record<string, string>;
  EncryptionContextEquals?: Record<string, string>;
}

/** What a grant permits, to whom. */
export interface GrantTerms {
  keyId: string;
  keyArn: KeyArn;
  /** The account whose principal created the grant; its root may retire it. */
  issuingAccount: AccountId;
  /** Empty: none, so that each CreateGrant makes a new grant. */
  name: string;
  granteePrincipal: string;
  retiringPrincipal: string | null;
  /** Unique ids, when they are users or roles: their names may be given to others. Absent: they are not, or were not looked up. */
  granteeId?: string;
  retiringId?: string;
  operations: GrantOperation[];
  constraints: GrantConstraints | null;
}

/** The facts of one grant's life; stream `grant-<grantId>`, so that a key's 50,000 grants share no stream. */
export type GrantEvent =
  | ({ type: 'GrantCreated'; grantId: string; parentGrantId: string | null; at: Instant } & GrantTerms)
  | { type: 'GrantRetired'; grantId: string; keyId: string; retiredBy: string; at: Instant }
  | { type: 'GrantRevoked'; grantId: string; keyId: string; at: Instant };
