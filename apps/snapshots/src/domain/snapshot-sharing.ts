import type { AccountId } from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';
import type { SnapshotCommand } from './snapshot.commands.ts';
import type { SharingChange } from './snapshot.events.ts';

/** Who may create volumes from a snapshot, besides its owner. */
export interface Sharing {
  readonly accounts: readonly AccountId[];
  readonly public: boolean;
}

export const initialSharing: Sharing = { accounts: [], public: false };

export type Change = SharingChange<'SnapshotShared'> | SharingChange<'SnapshotUnshared'>;

export const withSharing = (sharing: Sharing, change: Change): Sharing => {
  const others = sharing.accounts.filter((account) => !change.accounts.includes(account));
  if (change.type === 'SnapshotShared')
    return { accounts: [...others, ...change.accounts], public: sharing.public || change.public };
  return { accounts: others, public: sharing.public && !change.public };
};

type SharingCommand = Extract<SnapshotCommand, { type: 'ShareSnapshot' | 'UnshareSnapshot' | 'ResetSharing' }>;

/**
 * Whom it is shared with is changed as far as it is a change. An encrypted snapshot is never public, and one under a key that
 * AWS manages is never shared, since nobody could be let use the key.
 * @throws DomainError EncryptedSnapshotNotPublic | DefaultKeySnapshotNotShareable | PublicSharingBlocked
 * @see Amazon EBS user guide, "Share an Amazon EBS snapshot"
 */
export const decideSharing = (
  command: SharingCommand,
  sharing: Sharing,
  { encrypted }: { encrypted: boolean },
): readonly Change[] => {
  const { snapshotId, at } = command;
  if (command.type === 'ResetSharing')
    return sharing.public || sharing.accounts.length > 0
      ? [{ type: 'SnapshotUnshared', snapshotId, ...sharing, at }]
      : [];
  const isPublic = command.public;
  if (command.type === 'UnshareSnapshot') {
    const accounts = sharing.accounts.filter((account) => command.accounts.includes(account));
    const ends = isPublic && sharing.public;
    return ends || accounts.length > 0 ? [{ type: 'SnapshotUnshared', snapshotId, accounts, public: ends, at }] : [];
  }
  if (encrypted && isPublic) throw new DomainError('EncryptedSnapshotNotPublic', { snapshotId });
  if (encrypted && command.keyManagedByAws) throw new DomainError('DefaultKeySnapshotNotShareable', { snapshotId });
  if (isPublic && command.publicSharingBlocked) throw new DomainError('PublicSharingBlocked', { snapshotId });
  const accounts = [...new Set(command.accounts)].filter((account) => !sharing.accounts.includes(account));
  const begins = isPublic && !sharing.public;
  return begins || accounts.length > 0 ? [{ type: 'SnapshotShared', snapshotId, accounts, public: begins, at }] : [];
};
