import type { Caller, RequestContext } from '@holdfast/contracts';
import type { KeyPairCommand } from '../domain/key-pair.decider.ts';
import type { KeyType } from '../domain/key-pair.events.ts';

/** Streams of key pairs. */
export interface KeyPairStreams {
  /** @throws DomainError KeyPairErrorCode */
  handle(command: KeyPairCommand, caller: Caller): Promise<void>;
}

/** A key pair as DescribeKeyPairs reads it. */
export interface KeyPairRow {
  keyPairId: string;
  name: string;
  keyType: KeyType;
  fingerprint: string;
  publicKey: string;
  createTime: string;
  tags: Record<string, string>;
}

/** Key pairs that there are, in one account and Region. */
export interface KeyPairTable {
  /** By name. There are as many as the quota lets there be. */
  all(scope: Pick<RequestContext, 'accountId' | 'region'>): Promise<KeyPairRow[]>;
  named(name: string, scope: Pick<RequestContext, 'accountId' | 'region'>): Promise<KeyPairRow | null>;
}
