import {
  CopySnapshotCommand,
  CreateSnapshotCommand,
  CreateVolumeCommand,
  EnableEbsEncryptionByDefaultCommand,
  ModifyEbsDefaultKmsKeyIdCommand,
  ModifySnapshotAttributeCommand,
} from '@aws-sdk/client-ec2';
import { DescribeKeyCommand, PutKeyPolicyCommand } from '@aws-sdk/client-kms';
import { beforeAll, describe, expect, it } from 'vitest';
import { newAccountId, REGION, TestAccount, ZONE } from './account.ts';
import { eventually } from './clients.ts';
import { readDevice, writeDevice } from './devices.ts';
import { COPY_ROWS, type Outcome, type Row, type SnapshotSource, type Source, VOLUME_ROWS } from './outcome-rows.ts';
import { sharedStack } from './stack.ts';
import {
  decryptedUnit,
  type StoredUnit,
  storedUnitOfSnapshot,
  storedUnitOfVolume,
  UNIT_BYTES,
} from './stored-bytes.ts';

// What the guide's tables say of a volume or a copy, held against Describe and against the bytes on disk.

/** Copies under way in a Region are limited to twenty, and processes that encrypt cost their start. */
const AT_ONCE = 8;

/** Carries out `work` for all, some at a time. */
const all = async <T, R>(things: readonly T[], work: (thing: T) => Promise<R>): Promise<R[]> => {
  const results: R[] = [];
  const queue = [...things.entries()];
  const worker = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) results[next[0]] = await work(next[1]);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
};

let stack: ReturnType<typeof sharedStack>;
let owner: TestAccount;
let account: TestAccount;
let K: string;
let snapshots: Record<SnapshotSource, string>;
let sourceUnits: Record<SnapshotSource, StoredUnit>;
let sourceKey: string;
let otherDefault: string;
let managedDefault: string;

const unitOf = (text: string) => Buffer.alloc(UNIT_BYTES, `${text}, in words that can be found `);
const written = (source: Source) => unitOf(`written to the ${source} one`);

/** A completed snapshot of a volume of 1 GiB whose first unit is `written(source)`. */
const snapshotOf = async (by: TestAccount, instanceId: string, device: string, source: Source, KmsKeyId?: string) => {
  const encryption = KmsKeyId === undefined ? {} : { Encrypted: true, KmsKeyId };
  const { VolumeId } = await by.volume({ Size: 1, ...encryption });
  await writeDevice(await by.attach(VolumeId, instanceId, device), written(source));
  const { SnapshotId = '' } = await by.ec2.send(new CreateSnapshotCommand({ VolumeId }));
  expect(await by.snapshotSettled(SnapshotId)).toMatchObject({ State: 'completed' });
  return SnapshotId;
};

/** A key of the owner's with whose encrypted snapshots the other account may do what EBS does for it. */
const sharedKey = async (): Promise<string> => {
  const KeyId = await owner.newKey();
  const root = (id: string) => ({ AWS: `arn:aws:iam::${id}:root` });
  const uses = ['DescribeKey', 'CreateGrant', 'GenerateDataKey*', 'ReEncrypt*', 'Decrypt'].map((use) => `kms:${use}`);
  const Statement = [
    { Effect: 'Allow', Principal: root(owner.accountId), Action: 'kms:*', Resource: '*' },
    { Effect: 'Allow', Principal: root(account.accountId), Action: uses, Resource: '*' },
  ];
  await owner.kms.send(
    new PutKeyPolicyCommand({ KeyId, Policy: JSON.stringify({ Version: '2012-10-17', Statement }) }),
  );
  return KeyId;
};

const share = (SnapshotId: string) =>
  owner.ec2.send(
    new ModifySnapshotAttributeCommand({
      SnapshotId,
      CreateVolumePermission: { Add: [{ UserId: account.accountId }] },
    }),
  );

/** @returns an instance of the account's, with two devices in use. */
const makeSources = async (): Promise<string> => {
  const [ownersInstance, instance, keyOfOwner] = await Promise.all([owner.launch(), account.launch(), sharedKey()]);
  const [plain, encrypted, sharedPlain, sharedEncrypted] = await Promise.all([
    snapshotOf(account, instance, '/dev/sdf', 'own plain'),
    snapshotOf(account, instance, '/dev/sdg', 'own encrypted', sourceKey),
    snapshotOf(owner, ownersInstance, '/dev/sdf', 'shared plain'),
    snapshotOf(owner, ownersInstance, '/dev/sdg', 'shared encrypted', keyOfOwner),
  ]);
  await Promise.all([share(sharedPlain), share(sharedEncrypted)]);
  snapshots = { 'own plain': plain, 'own encrypted': encrypted, 'shared plain': sharedPlain, 'shared encrypted': sharedEncrypted }; // prettier-ignore
  return instance;
};

interface Observed {
  readonly row: Row;
  readonly refusal?: string;
  /** As CreateVolume answers; a copy's answer tells nothing of this. */
  readonly answered?: { readonly encrypted: boolean | undefined; readonly keyArn: string | undefined };
  readonly described?: { readonly encrypted: boolean | undefined; readonly keyArn: string | undefined };
  readonly stored?: StoredUnit;
  /** What the guest reads. */
  readonly read?: Buffer;
}

const encryptionOf = ({ encrypted, withKey }: Row) => ({
  ...(encrypted === undefined ? {} : { Encrypted: encrypted }),
  ...(withKey === true ? { KmsKeyId: K } : {}),
});

const refusalOf = (row: Row) => (error: Error) => ({ row, refusal: error.name });

/**
 * Whether a guest is asked, too, what it reads. With encryption by default a volume's blocks come about as without it, so that
 * there only those are attached that have no blocks of their own before.
 */
const isAttached = ({ encryptionByDefault, source, outcome }: Row) =>
  !encryptionByDefault || source === 'empty' || outcome === 'source';

const throughDevice = async (volumeId: string, instanceId: string, device: string, source: Source): Promise<Buffer> => {
  const socket = await account.attach(volumeId, instanceId, device);
  if (source === 'empty') await writeDevice(socket, written(source));
  return readDevice(socket, UNIT_BYTES);
};

const volumeOf = async (row: Row, instanceId: string, device: string): Promise<Observed> => {
  const { source } = row;
  const made = source === 'empty' ? { Size: 1 } : { SnapshotId: snapshots[source] };
  const command = new CreateVolumeCommand({ AvailabilityZone: ZONE, ...made, ...encryptionOf(row) });
  const created = await account.ec2.send(command).catch(refusalOf(row));
  if ('refusal' in created) return created;
  if (typeof row.outcome === 'object') return { row }; // It should not have been made.
  const { VolumeId = '' } = created;
  const described = await account.volumeIn('available', VolumeId);
  const read = isAttached(row) ? await throughDevice(VolumeId, instanceId, device, source) : undefined;
  // What was read of a snapshot is kept, but not before it is given to the guest.
  const stored = await eventually(
    () => storedUnitOfVolume(stack.home, VolumeId),
    ({ bytes }) => bytes.some((byte) => byte !== 0),
  );
  return {
    row,
    answered: { encrypted: created.Encrypted, keyArn: created.KmsKeyId },
    described: { encrypted: described.Encrypted, keyArn: described.KmsKeyId },
    stored,
    read,
  };
};

const copyOf = async (row: Row<SnapshotSource>): Promise<Observed> => {
  const source = { SourceSnapshotId: snapshots[row.source], SourceRegion: REGION };
  const copied = await account.ec2.send(new CopySnapshotCommand({ ...source, ...encryptionOf(row) }));
  const { SnapshotId = '', Encrypted, KmsKeyId, State } = await account.snapshotSettled(copied.SnapshotId ?? '');
  expect(State).toBe('completed');
  const described = { encrypted: Encrypted, keyArn: KmsKeyId };
  return { row, described, stored: await storedUnitOfSnapshot(stack.home, SnapshotId) };
};

const volumes = new Map<Row, Observed>();
const copies = new Map<Row, Observed>();

/** All rows of one setting of encryption by default; volumes are attached to the instance. */
const observe = async (encryptionByDefault: boolean, instanceId: string) => {
  const isNow = (row: Row) => row.encryptionByDefault === encryptionByDefault;
  const letters = [...'hijklmnopqrstuvwxyz'];
  const rows = VOLUME_ROWS.filter(isNow).map((row) => {
    const takesDevice = typeof row.outcome !== 'object' && isAttached(row);
    return { row, device: takesDevice ? `/dev/sd${letters.shift() ?? 'none is left'}` : '' };
  });
  for (const observed of await all(rows, ({ row, device }) => volumeOf(row, instanceId, device)))
    volumes.set(observed.row, observed);
  for (const observed of await all(COPY_ROWS.filter(isNow), copyOf)) copies.set(observed.row, observed);
};

beforeAll(async () => {
  stack = sharedStack();
  account = new TestAccount(stack, newAccountId());
  owner = new TestAccount(stack, newAccountId());
  [K = '', sourceKey = '', otherDefault = ''] = await Promise.all([
    account.newKey(),
    account.newKey(),
    account.newKey(),
  ]);
  const first = await makeSources();
  const units = await Promise.all(
    Object.entries(snapshots).map(async ([source, id]) => [source, await storedUnitOfSnapshot(stack.home, id)]),
  );
  sourceUnits = Object.fromEntries(units) as Record<SnapshotSource, StoredUnit>;
  await observe(false, await account.launch());
  managedDefault = (await account.kms.send(new DescribeKeyCommand({ KeyId: 'alias/aws/ebs' }))).KeyMetadata?.Arn ?? '';
  await account.ec2.send(new EnableEbsEncryptionByDefaultCommand({}));
  await account.ec2.send(new ModifyEbsDefaultKmsKeyIdCommand({ KmsKeyId: otherDefault }));
  await observe(true, first);
}, 300_000);

/** The default key is AWS's own in the beginning, and one of the account's with encryption by default. */
const keyOf = (outcome: Exclude<Outcome, object>, { encryptionByDefault }: Row): string | undefined =>
  ({ plain: undefined, default: encryptionByDefault ? otherDefault : managedDefault, source: sourceKey, K })[outcome];

const named = <From extends Source>(rows: readonly Row<From>[]) =>
  rows.map((row) => {
    const { name, encryptionByDefault, source, outcome } = row;
    const what = typeof outcome === 'object' ? outcome.refused : outcome;
    return [`${name}: ${source}, by default ${encryptionByDefault ? 'on' : 'off'}: ${what}`, row] as const;
  });

/** The bytes on disk are what Describe says: plaintext, or what the described KMS key's data key makes of it. */
const expectStored = async (stored: StoredUnit, keyArn: string | undefined, source: Source) => {
  const isFound = stored.bytes.includes(written(source).subarray(0, 32));
  expect(isFound).toBe(keyArn === undefined);
  expect(stored.dataKey?.keyArn).toBe(keyArn);
  if (keyArn === undefined) return;
  const decrypted = decryptedUnit(account, stored, keyArn);
  // AWS's own key serves nobody but through EC2.
  if (keyArn === managedDefault) await expect(decrypted).rejects.toMatchObject({ name: 'AccessDeniedException' });
  else expect(await decrypted).toEqual(written(source));
};

describe('CreateVolume', () => {
  it.each(named(VOLUME_ROWS))('%s', async (_name, row) => {
    const { refusal, answered, described, stored, read } = volumes.get(row) ?? { row };
    const { outcome, source } = row;
    if (typeof outcome === 'object') return expect(refusal).toBe(outcome.refused);
    const keyArn = keyOf(outcome, row);
    // The default key is not named to who did not name it.
    expect(answered).toEqual({ encrypted: keyArn !== undefined, keyArn: outcome === 'default' ? undefined : keyArn });
    expect(described).toEqual({ encrypted: keyArn !== undefined, keyArn });
    expect(read).toEqual(isAttached(row) ? written(source) : undefined);
    if (stored === undefined) throw new Error('nothing is stored');
    await expectStored(stored, keyArn, source);
    if (source === 'empty') return;
    // The same data key at the same place makes the same ciphertext.
    const isSame = stored.bytes.equals(sourceUnits[source].bytes);
    expect(isSame).toBe(outcome === 'source' || (outcome === 'plain' && sourceUnits[source].dataKey === null));
  });

  it('makes a data key for each volume that does not go on with its snapshot’s', () => {
    const made = [...volumes.values()].filter(({ row }) => row.outcome === 'default' || row.outcome === 'K');
    expect(made.length).toBeGreaterThan(20);
    expect(new Set(made.map(({ stored }) => stored?.dataKey?.keyCheck)).size).toBe(made.length);
  });
});

describe('CopySnapshot', () => {
  it.each(named(COPY_ROWS))('%s', async (_name, row) => {
    const { described, stored } = copies.get(row) ?? { row };
    const { outcome, source } = row;
    if (typeof outcome === 'object') throw new Error('no row is refused');
    const keyArn = keyOf(outcome, row);
    expect(described).toEqual({ encrypted: keyArn !== undefined, keyArn });
    if (stored === undefined) throw new Error('nothing is stored');
    await expectStored(stored, keyArn, source);
    const { bytes, dataKey } = sourceUnits[source];
    expect(stored.bytes.equals(bytes)).toBe(outcome === 'plain');
    expect(stored.dataKey?.keyCheck === dataKey?.keyCheck).toBe(outcome === 'plain');
  });
});
