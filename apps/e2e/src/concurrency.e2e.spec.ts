import {
  CreateSnapshotCommand,
  DeleteSnapshotCommand,
  DeleteVolumeCommand,
  DescribeInstancesCommand,
  DescribeSnapshotsCommand,
  DescribeVolumesCommand,
  DetachVolumeCommand,
  StartInstancesCommand,
} from '@aws-sdk/client-ec2';
import { EnableKeyCommand } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REGION, TestAccount } from './account.ts';
import { clientsFor, eventually } from './clients.ts';
import { runCrowd, type Shared } from './crowd.ts';
import { violations } from './invariants.ts';
import { type Stack, startStack } from './stack.ts';
import { tracesOf } from './traces.ts';

const CLIENTS = 200;
const CALLS_EACH = Number(process.env['CROWD_CALLS'] ?? 3);
const SETTLES_WITHIN_MS = 180_000;
/** What each client asks for follows from it; who comes first does not. */
const SEED = Number(process.env['CROWD_SEED'] ?? 1);

let stack: Stack;
let account: TestAccount;
beforeAll(async () => {
  stack = await startStack();
  account = new TestAccount(stack);
});
afterAll(() => stack.stop());

const statesOfInstances = async (InstanceIds: string[]) => {
  const { Reservations = [] } = await account.ec2.send(new DescribeInstancesCommand({ InstanceIds }));
  return Reservations.flatMap(({ Instances = [] }) => Instances.map(({ State }) => State?.Name));
};

/** Keys usable and instances running, as in the beginning. */
const restore = async ({ keys, instances }: Shared) => {
  for (const KeyId of keys) await account.kms.send(new EnableKeyCommand({ KeyId }));
  const ids = [...instances];
  const settled = (states: unknown[]) => states.every((state) => state === 'running' || state === 'stopped');
  await eventually(() => statesOfInstances(ids), settled, SETTLES_WITHIN_MS);
  await account.ec2.send(new StartInstancesCommand({ InstanceIds: ids }));
  await eventually(() => statesOfInstances(ids), settled, SETTLES_WITHIN_MS);
};

const settled = async () => {
  const { Volumes = [] } = await account.ec2.send(new DescribeVolumesCommand({}));
  const { Snapshots = [] } = await account.ec2.send(new DescribeSnapshotsCommand({ OwnerIds: ['self'] }));
  return (
    Volumes.every(
      ({ State, Attachments = [] }) =>
        (State === 'available' || State === 'in-use') && Attachments.every((each) => each.State === 'attached'),
    ) && Snapshots.every(({ State }) => State !== 'pending')
  );
};

/** Detaches and deletes whatever there is, but not what was there before. */
const clear = async (before: readonly string[]) => {
  const isNew = ({ VolumeId = '' }) => !before.includes(VolumeId);
  const volumes = async () => ((await account.ec2.send(new DescribeVolumesCommand({}))).Volumes ?? []).filter(isNew);
  for (const { VolumeId, Attachments = [] } of await volumes())
    for (const { InstanceId } of Attachments) await account.ec2.send(new DetachVolumeCommand({ VolumeId, InstanceId }));
  const { Snapshots = [] } = await account.ec2.send(new DescribeSnapshotsCommand({ OwnerIds: ['self'] }));
  for (const { SnapshotId } of Snapshots) await account.ec2.send(new DeleteSnapshotCommand({ SnapshotId }));
  await eventually(volumes, (all) => all.every(({ State }) => State === 'available'));
  for (const { VolumeId } of await volumes()) await account.ec2.send(new DeleteVolumeCommand({ VolumeId }));
};

describe(`${String(CLIENTS)} clients at the same few resources, seed ${String(SEED)}`, () => {
  it('are answered or refused, break no rule, and leave nothing behind', { timeout: 900_000 }, async () => {
    const launched = await Promise.all([account.launch(), account.launch(), account.launch()]);
    const keys = await Promise.all([account.newKey(), account.newKey(), account.newKey()]);
    const before = await tracesOf(account, stack.home);
    const firsts = await Promise.all(
      [...keys, ...keys, keys[0]].map((KmsKeyId) => account.volume({ Size: 1, Encrypted: true, KmsKeyId })),
    );
    const volumes = firsts.map(({ VolumeId }) => VolumeId);
    const snapshots = await Promise.all(
      volumes.map(
        async (VolumeId) => (await account.ec2.send(new CreateSnapshotCommand({ VolumeId }))).SnapshotId ?? '',
      ),
    );
    const shared: Shared = { volumes, snapshots, keys, instances: launched };

    const clients = Array.from({ length: CLIENTS }, () => clientsFor(stack.endpoint, account.accountId, REGION));
    const { answers, unexpected } = await runCrowd(clients, CALLS_EACH, SEED, shared);
    process.stdout.write(`CROWD_SEED=${String(SEED)}: ${JSON.stringify(answers)}\n`);
    expect(unexpected).toEqual([]);
    expect(answers['AttachVolume ok'] ?? 0).toBeGreaterThan(0);

    await restore(shared);
    await eventually(settled, (is) => is, SETTLES_WITHIN_MS);
    await expect.poll(() => violations(account, stack.home), { timeout: SETTLES_WITHIN_MS, interval: 500 }).toEqual([]);

    await clear(before.resources);
    await expect
      .poll(() => tracesOf(account, stack.home), { timeout: SETTLES_WITHIN_MS, interval: 500 })
      .toEqual(before);
  });
});
