import {
  CopySnapshotCommand,
  CreateSnapshotCommand,
  CreateSnapshotsCommand,
  CreateTagsCommand,
  DeleteSnapshotCommand,
  DeleteVolumeCommand,
  DescribeFastSnapshotRestoresCommand,
  DescribeLockedSnapshotsCommand,
  DescribeSnapshotsCommand,
  DescribeSnapshotTierStatusCommand,
  DescribeVolumesCommand,
  EnableFastSnapshotRestoresCommand,
  ImportSnapshotCommand,
  ListSnapshotsInRecycleBinCommand,
  ListVolumesInRecycleBinCommand,
  LockSnapshotCommand,
  ModifySnapshotAttributeCommand,
  ModifySnapshotTierCommand,
  RestoreSnapshotFromRecycleBinCommand,
  RestoreSnapshotTierCommand,
  RestoreVolumeFromRecycleBinCommand,
  UnlockSnapshotCommand,
} from '@aws-sdk/client-ec2';
import { ListGrantsCommand } from '@aws-sdk/client-kms';
import { RbinClient } from '@holdfast/aws-protocol/testing';
import { NbdClient } from '@holdfast/nbd/client';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REGION, TestAccount, ZONE } from './account.ts';
import { eventually } from './clients.ts';
import { readDevice, writeDevice } from './devices.ts';
import { told } from './notifications.ts';
import { startStack, type Stack } from './stack.ts';

const MIB = 1 << 20;
const HOUR_SECONDS = 3600;
const DAY_SECONDS = 86_400;

let stack: Stack;
let account: TestAccount;
let instanceId: string;
beforeAll(async () => {
  stack = await startStack();
  account = new TestAccount(stack);
  instanceId = await account.launch();
});
afterAll(() => stack.stop());

const { send, rbin, advance } = {
  send: <Output>(command: unknown) => account.ec2.send(command as never) as Promise<Output>,
  rbin: <Output = Record<string, never>>(operation: string, input: object) => {
    const credentials = { accessKeyId: account.accountId, secretAccessKey: 'test' };
    const settings = { endpoint: stack.endpoint, region: REGION, credentials, maxAttempts: 1 };
    return new RbinClient(settings).call<Output>(operation, input);
  },
  advance: async (advanceSeconds: number) => {
    const body = JSON.stringify({ advanceSeconds });
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${stack.endpoint}/_holdfast/clock`, { method: 'POST', headers, body });
    expect(answer.status).toBe(200);
  },
};

const DEVICES = ['/dev/sdf', '/dev/sdg', '/dev/sdh', '/dev/sdi', '/dev/sdj', '/dev/sdk'];
const attached = async (volumeId: string, device: string) => account.attach(volumeId, instanceId, device);

/** A snapshot of a volume with these bytes at its start. */
const snapshotOf = async (content: Buffer, options: { KmsKeyId?: string } = {}) => {
  const encryption = options.KmsKeyId === undefined ? {} : { Encrypted: true, ...options };
  const { VolumeId } = await account.volume({ Size: 1, ...encryption });
  await writeDevice(await attached(VolumeId, '/dev/sdp'), content);
  const SnapshotId = await snapshotAgain(VolumeId);
  await account.detach(VolumeId);
  return { VolumeId, SnapshotId };
};

const snapshotAgain = async (VolumeId: string) => {
  const { SnapshotId = '' } = await account.ec2.send(new CreateSnapshotCommand({ VolumeId }));
  await account.snapshotSettled(SnapshotId);
  return SnapshotId;
};

/** The first bytes of a volume made of a snapshot. */
const restored = async (SnapshotId: string, lengthBytes: number) => {
  const { VolumeId } = await account.volume({ SnapshotId });
  const content = await readDevice(await attached(VolumeId, '/dev/sdq'), lengthBytes);
  await account.detach(VolumeId);
  return content;
};

const described = async (SnapshotId: string) => {
  const { Snapshots } = await account.ec2.send(new DescribeSnapshotsCommand({ SnapshotIds: [SnapshotId] }));
  return Snapshots?.[0] ?? {};
};
const isGone = (SnapshotId: string) =>
  described(SnapshotId).then(
    () => false,
    (error: Error) => error.name === 'InvalidSnapshot.NotFound',
  );
const refused = (command: unknown) => expect(send(command)).rejects;

describe('CreateSnapshots', () => {
  it('takes the volumes of an instance at one moment, with their tags', async () => {
    const volumes = await Promise.all([1, 2, 3].map((n) => account.volume({ Size: 1, Encrypted: n === 1 })));
    const sockets = [];
    for (const [n, { VolumeId }] of volumes.entries()) sockets.push(await attached(VolumeId, DEVICES[n] ?? ''));
    await account.ec2.send(
      new CreateTagsCommand({ Resources: volumes.map((v) => v.VolumeId), Tags: [{ Key: 'of', Value: 'volume' }] }),
    );
    const clients = await Promise.all(sockets.slice(0, 2).map((path) => NbdClient.connect(path)));
    let stop = false;
    const writing = (async () => {
      for (let n = 1; !stop; n++) {
        const number = Buffer.alloc(4096);
        number.writeUInt32BE(n);
        for (const client of clients) await client.write(0, number);
      }
    })();
    const { Snapshots = [] } = await account.ec2.send(
      new CreateSnapshotsCommand({
        InstanceSpecification: {
          InstanceId: instanceId,
          ExcludeBootVolume: true,
          ExcludeDataVolumeIds: [volumes[2]?.VolumeId ?? ''],
        },
        CopyTagsFromSource: 'volume',
        Description: 'together',
        TagSpecifications: [{ ResourceType: 'snapshot', Tags: [{ Key: 'set', Value: '1' }] }],
      }),
    );
    stop = true;
    await writing;
    await Promise.all(clients.map((client) => client.close()));
    expect(new Set(Snapshots.map(({ VolumeId }) => VolumeId))).toEqual(
      new Set(volumes.slice(0, 2).map(({ VolumeId }) => VolumeId)),
    );
    expect(new Set(Snapshots.map(({ StartTime }) => StartTime?.toISOString())).size).toBe(1);
    const [, ...others] = volumes.map(({ VolumeId }) => VolumeId);
    const { Snapshots: alone = [] } = await account.ec2.send(
      new CreateSnapshotsCommand({
        InstanceSpecification: { InstanceId: instanceId, ExcludeBootVolume: true, ExcludeDataVolumeIds: others },
      }),
    );
    for (const { VolumeId } of volumes) await account.detach(VolumeId);
    const numbers = new Map<string | undefined, number>();
    for (const { SnapshotId = '', VolumeId } of Snapshots) {
      const settled = await account.snapshotSettled(SnapshotId);
      expect(settled).toMatchObject({ State: 'completed', Description: 'together' });
      expect(settled.Tags).toEqual(
        expect.arrayContaining([
          { Key: 'of', Value: 'volume' },
          { Key: 'set', Value: '1' },
        ]),
      );
      numbers.set(VolumeId, (await restored(SnapshotId, 4096)).readUInt32BE());
    }
    const { SnapshotId = '' } = Snapshots[0] ?? {};
    const whole = await told(stack.home, SnapshotId, ({ event }) => event === 'createSnapshots');
    expect(whole).toMatchObject({ detail: { result: 'succeeded' } });
    expect(whole.resources).toHaveLength(2);
    const ofOne = await told(stack.home, alone[0]?.SnapshotId ?? '', ({ event }) => event === 'createSnapshots');
    expect(ofOne).toMatchObject({ detail: { result: 'succeeded', snapshots: [{ status: 'completed' }] } });
    const [first = 0, second = 0] = volumes.map(({ VolumeId }) => numbers.get(VolumeId));
    expect([0, 1]).toContain(first - second);
  });

  it('refuses an instance that is not there', async () => {
    const InstanceSpecification = { InstanceId: 'i-0123456789abcdef0' };
    await refused(new CreateSnapshotsCommand({ InstanceSpecification })).toMatchObject({
      name: 'InvalidInstanceID.NotFound',
    });
  });
});

describe('a snapshot lock', () => {
  it('keeps a snapshot from being deleted until it is unlocked or expires', async () => {
    const { SnapshotId } = await snapshotOf(randomBytes(4096));
    const lock = (input: object) => send(new LockSnapshotCommand({ SnapshotId, ...input } as never));
    await lock({ LockMode: 'governance', LockDuration: 1 });
    await refused(new DeleteSnapshotCommand({ SnapshotId })).toMatchObject({ name: 'OperationNotPermitted' });
    await send(new UnlockSnapshotCommand({ SnapshotId }));
    expect(await lock({ LockMode: 'compliance', LockDuration: 2, CoolOffPeriod: 1 })).toMatchObject({
      LockState: 'compliance-cooloff',
      LockDuration: 2,
      CoolOffPeriod: 1,
    });
    await advance(2 * HOUR_SECONDS);
    await refused(new UnlockSnapshotCommand({ SnapshotId })).toMatchObject({ name: 'OperationNotPermitted' });
    const list = () => account.ec2.send(new DescribeLockedSnapshotsCommand({ SnapshotIds: [SnapshotId] }));
    expect((await list()).Snapshots).toMatchObject([{ SnapshotId, LockState: 'compliance' }]);
    await advance(3 * DAY_SECONDS);
    expect((await list()).Snapshots).toMatchObject([{ SnapshotId, LockState: 'expired' }]);
    await send(new DeleteSnapshotCommand({ SnapshotId }));
  });
});

describe('the archive tier', () => {
  const tierOf = async (SnapshotId: string) => {
    const Filters = [{ Name: 'snapshot-id', Values: [SnapshotId] }];
    const { SnapshotTierStatuses } = await account.ec2.send(new DescribeSnapshotTierStatusCommand({ Filters }));
    return SnapshotTierStatuses?.[0] ?? {};
  };
  const reached = (SnapshotId: string, status: string, tier: string) =>
    eventually(
      () => tierOf(SnapshotId),
      (found) => found.LastTieringOperationStatus === status && found.StorageTier === tier,
    );

  it('keeps the bytes of a snapshot whose parents are deleted, and gives them back for a time and for good', async () => {
    const content = randomBytes(3 * MIB);
    const { VolumeId, SnapshotId: parent } = await snapshotOf(content, { KmsKeyId: await account.newKey() });
    await writeDevice(await attached(VolumeId, '/dev/sdp'), content.fill(7, 0, 4096));
    const SnapshotId = await snapshotAgain(VolumeId);
    await account.detach(VolumeId);
    await send(new ModifySnapshotTierCommand({ SnapshotId, StorageTier: 'archive' }));
    await reached(SnapshotId, 'archival-completed', 'archive');
    await send(new DeleteSnapshotCommand({ SnapshotId: parent }));
    expect((await described(SnapshotId)).StorageTier).toBe('archive');
    await expect(account.volume({ SnapshotId })).rejects.toMatchObject({ name: 'IncorrectState' });
    const share = { SnapshotId, CreateVolumePermission: { Add: [{ UserId: '444455556666' }] } };
    await refused(new ModifySnapshotAttributeCommand(share)).toMatchObject({ name: 'IncorrectState' });
    const { SnapshotId: copyId = '' } = await account.ec2.send(
      new CopySnapshotCommand({ SourceSnapshotId: SnapshotId, SourceRegion: REGION }),
    );
    expect(await account.snapshotSettled(copyId)).toMatchObject({ State: 'error' });
    await send(new RestoreSnapshotTierCommand({ SnapshotId, TemporaryRestoreDays: 1 }));
    await reached(SnapshotId, 'temporary-restore-completed', 'standard');
    expect((await described(SnapshotId)).RestoreExpiryTime).toBeInstanceOf(Date);
    expect((await restored(SnapshotId, content.length)).equals(content)).toBe(true);
    await advance(2 * DAY_SECONDS);
    await eventually(
      () => described(SnapshotId),
      ({ StorageTier }) => StorageTier === 'archive',
    );
    await send(new RestoreSnapshotTierCommand({ SnapshotId, PermanentRestore: true }));
    await reached(SnapshotId, 'permanent-restore-completed', 'standard');
    expect((await described(SnapshotId)).RestoreExpiryTime).toBeUndefined();
    expect((await restored(SnapshotId, content.length)).equals(content)).toBe(true);
    for (const name of ['archiveSnapshot', 'restoreSnapshot', 'restoreExpiry'])
      expect(await told(stack.home, SnapshotId, ({ event }) => event === name)).toMatchObject({
        detail: { result: 'succeeded', cause: '' },
      });
    const volume = await account.volume({ SnapshotId });
    expect(await told(stack.home, volume.VolumeId, ({ event }) => event === 'initializeVolume')).toMatchObject({
      detail: { result: 'succeeded' },
    });
    await refused(new RestoreSnapshotTierCommand({ SnapshotId, PermanentRestore: true })).toMatchObject({
      name: 'IncorrectState',
    });
  });
});

describe('the Recycle Bin', () => {
  it('keeps what a rule names, gives it back whole, and lets it go when its time is over', async () => {
    const rule = await rbin<{ Identifier: string; RuleArn: string; Status: string }>('CreateRule', {
      ResourceType: 'EBS_SNAPSHOT',
      RetentionPeriod: { RetentionPeriodValue: 3, RetentionPeriodUnit: 'DAYS' },
      ResourceTags: [{ ResourceTagKey: 'keep', ResourceTagValue: 'yes' }],
      Tags: [{ Key: 'team', Value: 'a' }],
    });
    expect(rule).toMatchObject({ Status: 'available', Identifier: expect.stringMatching(/^\w{11}$/) as string });
    const content = randomBytes(MIB);
    const { SnapshotId } = await snapshotOf(content);
    await account.ec2.send(new CreateTagsCommand({ Resources: [SnapshotId], Tags: [{ Key: 'keep', Value: 'yes' }] }));
    await send(new DeleteSnapshotCommand({ SnapshotId }));
    expect(await isGone(SnapshotId)).toBe(true);
    await expect(account.volume({ SnapshotId })).rejects.toMatchObject({ name: 'InvalidSnapshot.NotFound' });
    const bin = async () => {
      const { Snapshots = [] } = await account.ec2.send(new ListSnapshotsInRecycleBinCommand({}));
      return Snapshots.filter((row) => row.SnapshotId === SnapshotId);
    };
    const [row] = await bin();
    const keptMs = (row?.RecycleBinExitTime?.getTime() ?? 0) - (row?.RecycleBinEnterTime?.getTime() ?? 0);
    expect(keptMs).toBe(3 * DAY_SECONDS * 1000);
    await send(new RestoreSnapshotFromRecycleBinCommand({ SnapshotId }));
    expect(await bin()).toEqual([]);
    expect((await restored(SnapshotId, content.length)).equals(content)).toBe(true);
    await send(new DeleteSnapshotCommand({ SnapshotId }));
    expect(await bin()).toHaveLength(1);
    await advance(4 * DAY_SECONDS);
    expect(await bin()).toEqual([]);
    await refused(new RestoreSnapshotFromRecycleBinCommand({ SnapshotId })).toMatchObject({
      name: 'InvalidSnapshot.NotFound',
    });
    await rbin('UntagResource', { ResourceArn: rule.RuleArn, TagKeys: ['team'] });
    await rbin('TagResource', { ResourceArn: rule.RuleArn, Tags: [{ Key: 'team', Value: 'b' }] });
    expect(await rbin('ListTagsForResource', { ResourceArn: rule.RuleArn })).toMatchObject({
      Tags: [{ Key: 'team', Value: 'b' }],
    });
    await rbin('DeleteRule', { Identifier: rule.Identifier });
    await expect(rbin('GetRule', { Identifier: rule.Identifier })).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      Reason: 'RULE_NOT_FOUND',
    });
  });

  it('keeps a volume with its bytes and its key, and lets it go when its time is over', async () => {
    const { Identifier } = await rbin<{ Identifier: string }>('CreateRule', {
      ResourceType: 'EBS_VOLUME',
      RetentionPeriod: { RetentionPeriodValue: 3, RetentionPeriodUnit: 'DAYS' },
    });
    const KmsKeyId = await account.newKey();
    const { VolumeId } = await account.volume({ Size: 1, Encrypted: true, KmsKeyId });
    const content = randomBytes(MIB);
    await writeDevice(await attached(VolumeId, '/dev/sdp'), content);
    await account.detach(VolumeId);
    const grants = async () => (await account.kms.send(new ListGrantsCommand({ KeyId: KmsKeyId }))).Grants?.length;
    await send(new DeleteVolumeCommand({ VolumeId }));
    await refused(new DescribeVolumesCommand({ VolumeIds: [VolumeId] })).toMatchObject({
      name: 'InvalidVolume.NotFound',
    });
    const bin = async () => {
      const { Volumes = [] } = await account.ec2.send(new ListVolumesInRecycleBinCommand({}));
      return Volumes.filter((row) => row.VolumeId === VolumeId);
    };
    expect([await bin(), await grants()]).toMatchObject([[{ Size: 1, VolumeType: 'gp2' }], 1]);
    await send(new RestoreVolumeFromRecycleBinCommand({ VolumeId }));
    const kept = await readDevice(await attached(VolumeId, '/dev/sdp'), content.length);
    expect(kept.equals(content)).toBe(true);
    await account.detach(VolumeId);
    await send(new DeleteVolumeCommand({ VolumeId }));
    await advance(4 * DAY_SECONDS);
    await eventually(bin, (rows) => rows.length === 0);
    await eventually(grants, (count) => count === 0);
    await rbin('DeleteRule', { Identifier });
  });

  it('holds a locked rule of a Region as it is until its delay is over', async () => {
    const { Identifier } = await rbin<{ Identifier: string }>('CreateRule', {
      ResourceType: 'EBS_SNAPSHOT',
      RetentionPeriod: { RetentionPeriodValue: 1, RetentionPeriodUnit: 'DAYS' },
    });
    const UnlockDelay = { UnlockDelayValue: 7, UnlockDelayUnit: 'DAYS' };
    expect(await rbin('LockRule', { Identifier, LockConfiguration: { UnlockDelay } })).toMatchObject({
      LockState: 'locked',
    });
    const conflict = { name: 'ConflictException', Reason: 'INVALID_RULE_STATE' };
    await expect(rbin('DeleteRule', { Identifier })).rejects.toMatchObject(conflict);
    expect(await rbin('UnlockRule', { Identifier })).toMatchObject({ LockState: 'pending_unlock' });
    await expect(rbin('UpdateRule', { Identifier, Description: 'x' })).rejects.toMatchObject(conflict);
    await advance(8 * DAY_SECONDS);
    expect(await rbin('UpdateRule', { Identifier, Description: 'x' })).toMatchObject({ Description: 'x' });
    expect(await rbin('ListRules', { ResourceType: 'EBS_SNAPSHOT' })).toMatchObject({
      Rules: [{ Identifier, Description: 'x', LockState: 'unlocked' }],
    });
    await rbin('DeleteRule', { Identifier });
  });
});

describe('fast snapshot restore', () => {
  it('has every block in a volume before it is available', async () => {
    const content = randomBytes(MIB);
    const { SnapshotId } = await snapshotOf(content);
    const enabled = await account.ec2.send(
      new EnableFastSnapshotRestoresCommand({ SourceSnapshotIds: [SnapshotId], AvailabilityZones: [ZONE] }),
    );
    expect(enabled).toMatchObject({ Successful: [{ SnapshotId, AvailabilityZone: ZONE, State: 'enabling' }] });
    const again = new EnableFastSnapshotRestoresCommand({ SourceSnapshotIds: [SnapshotId], AvailabilityZones: [ZONE] });
    expect((await account.ec2.send(again)).Unsuccessful).toMatchObject([{ SnapshotId }]);
    await advance(HOUR_SECONDS);
    const Filters = [{ Name: 'state', Values: ['enabled'] }];
    expect(
      (await account.ec2.send(new DescribeFastSnapshotRestoresCommand({ Filters }))).FastSnapshotRestores,
    ).toMatchObject([{ SnapshotId }]);
    const { detail } = await told(stack.home, SnapshotId, ({ state }) => state === 'enabled');
    expect(detail).toMatchObject({ 'snapshot-id': SnapshotId, zone: ZONE });
    expect((await account.volume({ SnapshotId })).FastRestored).toBe(true);
    const elsewhere = await account.volume({ SnapshotId, AvailabilityZone: `${REGION}b` });
    expect(elsewhere.FastRestored).toBeUndefined();
    expect((await restored(SnapshotId, content.length)).equals(content)).toBe(true);
  });
});

describe('a copy after another one under the same key', () => {
  it('goes on with the data key of the one before, and is whole without it', async () => {
    const KmsKeyId = await account.newKey();
    const content = randomBytes(2 * MIB);
    const { VolumeId, SnapshotId: first } = await snapshotOf(content);
    const copy = async (SourceSnapshotId: string) => {
      const input = { SourceSnapshotId, SourceRegion: REGION, Encrypted: true, KmsKeyId };
      const { SnapshotId = '' } = await account.ec2.send(new CopySnapshotCommand(input));
      const settled = await account.snapshotSettled(SnapshotId);
      expect(settled.State).toBe('completed');
      return { SnapshotId, DataEncryptionKeyId: settled.DataEncryptionKeyId };
    };
    const firstCopy = await copy(first);
    await writeDevice(await attached(VolumeId, '/dev/sdp'), content.fill(9, 0, 4096));
    const secondCopy = await copy(await snapshotAgain(VolumeId));
    await account.detach(VolumeId);
    expect(secondCopy.DataEncryptionKeyId).toBe(firstCopy.DataEncryptionKeyId);
    await send(new DeleteSnapshotCommand({ SnapshotId: firstCopy.SnapshotId }));
    expect((await restored(secondCopy.SnapshotId, content.length)).equals(content)).toBe(true);
  });
});

it('ImportSnapshot is refused', async () => {
  await refused(new ImportSnapshotCommand({})).toMatchObject({ name: 'UnsupportedOperation' });
});
