import type { Instant } from '@holdfast/contracts';
import type { CryptographicOperation } from './key-specs.ts';

/** The latest successful use of a key in one Region, as the log has it. */
export interface LastUse {
  readonly operation: CryptographicOperation;
  readonly at: Instant;
  /** Of the KeyUsed event; CloudTrail's record of the use carries the same id. */
  readonly eventId: string;
  readonly requestId: string;
}

const DAY_MS = 86_400_000;

/**
 * What `kms:TrailingDaysWithoutKeyUsage` says: whole days since the key was last used; of a key that never was, since its
 * uses are tracked. Never below zero, also where the clock was turned back.
 * @param trackedSince when the key was made: the log has every use.
 * @see KMS developer guide, AWS KMS condition keys, kms:TrailingDaysWithoutKeyUsage
 */
export const trailingDaysWithoutUse = (now: Instant, lastUse: LastUse | null, trackedSince: Instant): number => {
  const idleMs = Date.parse(now) - Date.parse(lastUse?.at ?? trackedSince);
  return Math.max(Math.floor(idleMs / DAY_MS), 0);
};
