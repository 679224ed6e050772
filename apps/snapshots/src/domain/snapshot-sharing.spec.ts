import { accountId, instant, snapshotId } from '@holdfast/contracts';
import { describe, expect, it } from 'vitest';
import { decideSharing, initialSharing, type Sharing, withSharing } from './snapshot-sharing.ts';

const at = instant(new Date('2026-01-31T12:00:00Z'));
const id = snapshotId('snap-0123456789abcdef0');
const [A, B, C] = [accountId('111122223333'), accountId('444455556666'), accountId('777788889999')];
const shared: Sharing = { accounts: [A, B], public: true };

/** Encrypted, its key managed by AWS, public sharing blocked, shared publicly (else with an account): the refusal. */
type Row = ['plain' | 'customer key' | 'aws/ebs', 'blocked' | '', 'account' | 'public', string | null];
const table: Row[] = [
  ['plain', '', 'account', null],
  ['plain', '', 'public', null],
  ['plain', 'blocked', 'account', null],
  ['plain', 'blocked', 'public', 'PublicSharingBlocked'],
  ['customer key', '', 'account', null],
  ['customer key', '', 'public', 'EncryptedSnapshotNotPublic'],
  ['customer key', 'blocked', 'account', null],
  ['customer key', 'blocked', 'public', 'EncryptedSnapshotNotPublic'],
  ['aws/ebs', '', 'account', 'DefaultKeySnapshotNotShareable'],
  ['aws/ebs', '', 'public', 'EncryptedSnapshotNotPublic'],
  ['aws/ebs', 'blocked', 'account', 'DefaultKeySnapshotNotShareable'],
  ['aws/ebs', 'blocked', 'public', 'EncryptedSnapshotNotPublic'],
];

describe('who a snapshot may be shared with', () => {
  it.each(table)('%s %s, shared with %s: %s', (key, blocked, who, code) => {
    const command = {
      type: 'ShareSnapshot',
      snapshotId: id,
      accounts: who === 'account' ? [A] : [],
      public: who === 'public',
      keyManagedByAws: key === 'aws/ebs',
      publicSharingBlocked: blocked === 'blocked',
      at,
    } as const;
    const decided = () => decideSharing(command, initialSharing, { encrypted: key !== 'plain' });
    if (code !== null) expect(decided).toThrow(expect.objectContaining({ code }));
    else
      expect(decided()).toEqual([
        { type: 'SnapshotShared', snapshotId: id, accounts: command.accounts, public: command.public, at },
      ]);
  });
});

describe('a change of sharing', () => {
  const plain = { encrypted: false };
  const change = { snapshotId: id, at };
  const share = { type: 'ShareSnapshot', ...change, keyManagedByAws: false, publicSharingBlocked: false } as const;

  it('adds what is new, once', () => {
    expect(decideSharing({ ...share, accounts: [B, C, C], public: true }, shared, plain)).toEqual([
      { type: 'SnapshotShared', ...change, accounts: [C], public: false },
    ]);
    expect(decideSharing({ ...share, accounts: [A], public: true }, shared, plain)).toEqual([]);
  });

  it('takes away what is there', () => {
    const unshare = { type: 'UnshareSnapshot', ...change, accounts: [B, C], public: true } as const;
    expect(decideSharing(unshare, shared, plain)).toEqual([
      { type: 'SnapshotUnshared', ...change, accounts: [B], public: true },
    ]);
    expect(decideSharing(unshare, { accounts: [A], public: false }, plain)).toEqual([]);
  });

  it('resets to nobody', () => {
    const reset = { type: 'ResetSharing', ...change } as const;
    const [event] = decideSharing(reset, shared, plain);
    expect(event && withSharing(shared, event)).toEqual(initialSharing);
    expect(decideSharing(reset, initialSharing, plain)).toEqual([]);
  });
});
