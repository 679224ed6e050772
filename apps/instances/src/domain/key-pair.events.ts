import type { AccountId, Instant, Region } from '@holdfast/contracts';

export type KeyType = 'rsa' | 'ed25519';

export interface NewKeyPair {
  /** `key-` and 17 hexadecimal digits. */
  keyPairId: string;
  accountId: AccountId;
  region: Region;
  name: string;
  keyType: KeyType;
  /** As EC2 computes it, which differs between keys that were made and keys that were imported. */
  fingerprint: string;
  /** As OpenSSH writes it, without a comment: type and base64. */
  publicKey: string;
  tags: Record<string, string>;
}

/** The facts of one key pair's life; stream `key-<keyPairId>`. Private keys are in none: only who made one ever has it. */
export type KeyPairEvent =
  | ({ type: 'KeyPairCreated'; at: Instant } & NewKeyPair)
  | ({ type: 'KeyPairImported'; at: Instant } & NewKeyPair)
  | { type: 'KeyPairDeleted'; keyPairId: string; at: Instant }
  | { type: 'KeyPairTagged'; keyPairId: string; tags: Record<string, string>; at: Instant }
  | { type: 'KeyPairUntagged'; keyPairId: string; keys: string[]; at: Instant };
