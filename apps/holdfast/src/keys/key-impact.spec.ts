import { describe, expect, it } from 'vitest';
import { formatImpact } from '../commands/keys-impact.ts';
import type { AttachmentFact, KeyDescription, KeyFacts, SnapshotFact, VolumeFact } from './key-facts.ts';
import { impactOf } from './key-impact.ts';
import { defaultsOf } from './read-key-facts.ts';

const [OWNER, OTHER, REGION] = ['111122223333', '444455556666', 'eu-central-1'];
const key: KeyDescription = {
  keyId: 'k', arn: `arn:aws:kms:${REGION}:${OWNER}:key/k`, accountId: OWNER, region: REGION, keyManager: 'CUSTOMER',
  keySpec: 'SYMMETRIC_DEFAULT', keyUsage: 'ENCRYPT_DECRYPT', origin: 'AWS_KMS', state: 'Enabled', multiRegion: false,
  primaryRegion: REGION, deletionDate: null,
}; // prettier-ignore
const volume = (volumeId: string, state: string, ...attachments: Partial<AttachmentFact>[]): VolumeFact => ({
  volumeId, accountId: OWNER, region: REGION, state, sizeGiB: 8,
  attachments: attachments.map((attachment) => ({ instanceId: 'i-1', device: '/dev/sdf', state: 'attached', suspended: false, ...attachment })),
}); // prettier-ignore
const snapshot = (snapshotId: string, rest: Partial<SnapshotFact> = {}): SnapshotFact => ({
  snapshotId, ownerId: OWNER, region: REGION, state: 'completed', isCopy: false, volumeId: 'vol-open', sizeGiB: 8,
  sharedWith: [], isPublic: false, ...rest,
}); // prettier-ignore
const facts = (rest: Partial<KeyFacts> = {}): KeyFacts => ({
  key, replicas: [], aliases: [], grants: [], volumes: [], snapshots: [], underWay: [], images: [], defaults: [],
  otherUses: { count: 0, principals: [], lastAt: null }, ...rest,
}); // prettier-ignore
const inUse = facts({
  aliases: ['alias/data'],
  volumes: [
    volume('vol-open', 'in-use', {}),
    volume('vol-stopped', 'in-use', { suspended: true }),
    volume('vol-free', 'available'),
    volume('vol-leaving', 'in-use', { state: 'detaching' }),
    volume('vol-coming', 'in-use', { state: 'attaching' }),
    volume('vol-new', 'creating'),
    volume('vol-going', 'deleting'),
  ],
  snapshots: [
    snapshot('snap-shared', { sharedWith: [OTHER] }),
    snapshot('snap-pending', { state: 'pending' }),
    snapshot('snap-copying', { state: 'pending', isCopy: true }),
    snapshot('snap-broken', { state: 'error' }),
  ],
  underWay: [{ kind: 'volume', id: 'vol-theirs', accountId: OTHER, fromSnapshotId: 'snap-shared' }],
  images: [{ imageId: 'ami-1', name: 'a', ownerId: OWNER, region: REGION, snapshotIds: ['snap-shared'] }],
  grants: [{ grantId: 'g', granteePrincipal: `arn:aws:iam::${OTHER}:role/r`, operations: ['Decrypt'], ebsId: null }],
  defaults: [{ accountId: OWNER, region: REGION, encryptionByDefault: true }],
  otherUses: { count: 3, principals: ['a', 'b'], lastAt: '2026-03-01T00:00:00.000Z' },
});
const idsOf = (effects: readonly { id: string }[]) => effects.map(({ id }) => id);

describe('disabling a key', () => {
  const impact = impactOf(inUse, 'disable');

  it('leaves open devices and what needs no key alone', () => {
    expect(idsOf(impact.goesOn)).toEqual(['vol-open', 'snap-pending']);
    expect(impact.goesOn[0]?.effect).toContain('attached to i-1 as /dev/sdf: goes on until it is detached');
  });

  it('has a volume that several instances share once', () => {
    const shared = volume('vol-all', 'in-use', {}, { instanceId: 'i-2' }, { instanceId: 'i-3', suspended: true });
    const { goesOn, fails, lost } = impactOf(facts({ volumes: [shared] }), 'delete');
    expect(goesOn).toMatchObject([{ id: 'vol-all', effect: expect.stringMatching(/i-1 as .* i-2 as .*: goes on/) as string }]); // prettier-ignore
    expect(fails.filter(({ kind }) => kind === 'volume')).toMatchObject([{ effect: expect.stringContaining('i-3') as string }]); // prettier-ignore
    expect(lost.filter(({ kind }) => kind === 'volume')).toHaveLength(1);
    const both = facts({
      volumes: [volume('vol-all', 'in-use', { suspended: true }, { instanceId: 'i-2', suspended: true })],
    });
    expect(impactOf(both, 'disable').fails).toMatchObject([{ effect: expect.stringContaining('i-1, i-2, which it is attached to: they stay stopped') as string }, {}]); // prettier-ignore
  });

  it('catches what is being made or opened', () => {
    expect(idsOf(impact.underWay)).toEqual(['vol-coming', 'vol-new', 'snap-copying', 'vol-theirs']);
    expect(impact.underWay.at(-1)).toMatchObject({ accountId: OTHER, effect: expect.stringContaining('snap-shared') });
  });

  it('fails the next attach, start, restore, copy, launch and use', () => {
    const volumes = impact.fails.filter(({ kind }) => kind === 'volume');
    expect(volumes.map(({ id, effect }) => [id, /^\w+/.exec(effect)?.[0]])).toEqual([
      ['vol-stopped', 'StartInstances'],
      ['vol-free', 'AttachVolume'],
      ['vol-leaving', 'AttachVolume'],
    ]);
    const snapshots = impact.fails.filter(({ kind }) => kind === 'snapshot');
    expect(idsOf(snapshots)).toEqual(['snap-shared', 'snap-pending', 'snap-copying']);
    expect(snapshots[0]?.effect).toMatch(/CreateVolume.*CopySnapshot.*EBS direct, also for 444455556666/);
    const rest = impact.fails.filter(({ kind }) => kind !== 'volume' && kind !== 'snapshot');
    expect(rest.map(({ kind, id }) => [kind, id])).toEqual([
      ['image', 'ami-1'],
      ['account', OWNER],
      ['key', key.arn],
      ['aliases', 'alias/data'],
      ['grants', '1 grant'],
    ]);
  });

  it('loses nothing', () => {
    expect(impact.lost).toEqual([]);
    expect(impact.notes).toEqual(['EnableKey undoes it at any time: nothing is lost.']);
  });

  it('says whom it reaches', () => {
    expect(impact.accounts).toEqual([
      { accountId: OWNER, because: ['owns the key', `default key for EBS in ${REGION}`, '7 volumes', '4 snapshots', '1 image'] }, // prettier-ignore
      { accountId: OTHER, because: ['1 shared snapshot', '1 grant'] },
    ]);
  });

  it.each([
    ['PendingDeletion', 'pending deletion already'],
    ['PendingReplicaDeletion', 'pending deletion already'],
    ['PendingImport', 'no key material'],
  ])('is refused while it is %s', (state, because) => {
    const refused = impactOf({ ...inUse, key: { ...key, state } }, 'disable');
    expect(refused.refusedBecause).toContain(because);
    expect([refused.goesOn, refused.underWay, refused.fails, refused.lost]).toEqual([[], [], [], []]);
  });
});

describe('deleting a key', () => {
  it('loses every volume and snapshot, and what was encrypted elsewhere', () => {
    const { lost, fails, notes } = impactOf(inUse, 'delete');
    expect(idsOf(lost)).toEqual([
      ...['vol-open', 'vol-stopped', 'vol-free', 'vol-leaving', 'vol-coming'],
      ...['snap-shared', 'snap-pending', 'snap-copying', 'ami-1', '3 uses outside EBS'],
    ]);
    expect(lost[0]?.effect).toContain('as long as it is attached its data can be copied elsewhere');
    expect(lost[1]?.effect).toBe('all 8 GiB of it');
    expect(fails.find(({ kind }) => kind === 'key')?.effect).toContain('KMSInvalidStateException');
    expect(notes).toEqual([expect.stringContaining('gone 7 to 30 days later; until then CancelKeyDeletion undoes it')]);
  });

  it('that is scheduled already has a date', () => {
    const dying = { ...key, state: 'PendingDeletion', deletionDate: '2026-04-01T00:00:00.000Z' };
    const { notes, refusedBecause } = impactOf({ ...inUse, key: dying }, 'delete');
    expect(refusedBecause).toBeNull();
    expect(notes[0]).toContain('PendingDeletion now: what fails, fails already');
    expect(notes[1]).toContain('gone at 2026-04-01T00:00:00.000Z');
  });

  const replica = (state: string) => [{ region: 'us-east-1', arn: 'r', state, isPrimary: false }];
  const multiRegion = { ...key, multiRegion: true };

  it('of a multi-Region key loses nothing while another Region keeps it', () => {
    const { lost, notes } = impactOf({ ...inUse, key: multiRegion, replicas: replica('Disabled') }, 'delete');
    expect(lost).toEqual([]);
    expect(notes.join(' ')).toMatch(/waiting period begins once its replicas are deleted.*us-east-1 \(Disabled\).*Nothing is lost/); // prettier-ignore
    const all = impactOf({ ...inUse, key: multiRegion, replicas: replica('PendingDeletion') }, 'delete');
    expect(all.lost.length).toBeGreaterThan(0);
  });

  it.each(['disable', 'delete'] as const)(
    'or disabling it is not to be had of a key that AWS manages: %s',
    (change) => {
      const managed = impactOf({ ...inUse, key: { ...key, keyManager: 'AWS' } }, change);
      expect(managed.refusedBecause).toContain('AWS manages the key');
      expect(managed.lost).toEqual([]);
      expect(managed.accounts).toHaveLength(2);
    },
  );

  it.each([
    ['SYMMETRIC_DEFAULT', 'opens nothing of this one'],
    ['HMAC_256', 'takes its place'],
  ])('tells what imported material is good for: %s', (keySpec, says) => {
    const { notes } = impactOf(facts({ key: { ...key, keySpec, origin: 'EXTERNAL' } }), 'delete');
    expect(notes.at(-1)).toContain(says);
  });
});

describe('the text', () => {
  it('has a section for each kind of effect, and only for those', () => {
    const titles = (change: 'disable' | 'delete', of = inUse) =>
      formatImpact(of, impactOf(of, change)).filter((line) => /^[A-Z].*\(\d+\)$/.test(line));
    expect(titles('disable')).toEqual([
      'Goes on for now (2)',
      'Under way (4)',
      'Fails from then on (11)',
      'Accounts (2)',
    ]);
    expect(titles('delete')).toContain('Lost for ever (10)');
    expect(titles('delete', facts())).toEqual(['Fails from then on (1)', 'Accounts (1)']);
  });

  it('stops at fifty of a kind, and says so', () => {
    const many = facts({
      volumes: Array.from({ length: 60 }, (_, index) => volume(`vol-${String(index)}`, 'available')),
    });
    const lines = formatImpact(many, impactOf(many, 'disable'));
    expect(lines.filter((line) => line.startsWith('  vol-'))).toHaveLength(50);
    expect(lines).toContain('  and 11 more: see --json');
  });
});

describe('default keys for EBS', () => {
  const event = (account: string, type: string, arn: string | null = null) => ({
    stream_id: `ebs-encryption-${account}-${REGION}`,
    type,
    key_arn: arn,
  });

  it('are those chosen last', () => {
    const rows = [
      event(OWNER, 'DefaultKmsKeyChanged', key.arn),
      event(OWNER, 'EncryptionByDefaultEnabled'),
      event(OTHER, 'DefaultKmsKeyChanged', key.arn),
      event(OTHER, 'DefaultKmsKeyReset'),
      event('999988887777', 'DefaultKmsKeyChanged', 'another'),
    ];
    expect(defaultsOf(key, rows)).toEqual([{ accountId: OWNER, region: REGION, encryptionByDefault: true }]);
  });

  it("are AWS's own where none was chosen", () => {
    const managed: KeyDescription = { ...key, keyManager: 'AWS' };
    const own = [{ accountId: OWNER, region: REGION, encryptionByDefault: false }];
    expect(defaultsOf(managed, [])).toEqual(own);
    expect(defaultsOf(managed, [event(OWNER, 'DefaultKmsKeyChanged', 'another')])).toEqual([]);
    const back = [event(OWNER, 'DefaultKmsKeyChanged', 'another'), event(OWNER, 'DefaultKmsKeyReset')];
    expect(defaultsOf(managed, back)).toEqual(own);
    expect(defaultsOf(managed, [event(OTHER, 'DefaultKmsKeyReset')])).toEqual(own);
  });
});
