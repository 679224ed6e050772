import { DescribeInstancesCommand, DescribeSnapshotsCommand, DescribeVolumesCommand } from '@aws-sdk/client-ec2';
import {
  DescribeKeyCommand,
  ListAliasesCommand,
  ListKeysCommand,
  ScheduleKeyDeletionCommand,
} from '@aws-sdk/client-kms';
import { NbdClient } from '@holdfast/nbd/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestAccount } from './account.ts';
import { eventually } from './clients.ts';
import { blockHostPids } from './processes.ts';
import { type Stack, startStack } from './stack.ts';

const DAY_SECONDS = 86_400;
let stack: Stack;
let account: TestAccount;
beforeAll(async () => {
  stack = await startStack();
  account = new TestAccount(stack);
});
afterAll(() => stack.stop());

const post = (path: string, body?: object) =>
  fetch(`${stack.endpoint}/_holdfast/${path}`, {
    method: 'POST',
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });

describe('a reset', () => {
  it('forgets everything, attached volumes included, and leaves a stack that works', async () => {
    for (let round = 0; round < 2; round++) {
      const { VolumeId } = await account.volume({ Size: 1, Encrypted: true });
      const socket = await account.attach(VolumeId, await account.launch(), '/dev/sdf');
      expect((await post('reset')).status).toBe(200);
      await expect(NbdClient.connect(socket)).rejects.toThrow();
      expect(await blockHostPids(stack.pid())).toEqual([]);
      expect((await account.ec2.send(new DescribeVolumesCommand({}))).Volumes).toEqual([]);
      expect((await account.ec2.send(new DescribeSnapshotsCommand({ OwnerIds: ['self'] }))).Snapshots).toEqual([]);
      expect((await account.ec2.send(new DescribeInstancesCommand({}))).Reservations).toEqual([]);
      expect((await account.kms.send(new ListKeysCommand({}))).Keys).toEqual([]);
      const { Aliases } = await account.kms.send(new ListAliasesCommand({}));
      expect(Aliases?.every(({ TargetKeyId }) => TargetKeyId === undefined)).toBe(true);
    }
  });

  it('may come in the middle of work', async () => {
    const creating = Array.from({ length: 10 }, () => account.volume({ Size: 1, Encrypted: true }).catch(() => null));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await post('reset')).status).toBe(200);
    void Promise.allSettled(creating);
    expect((await account.volume({ Size: 1, Encrypted: true })).State).toBe('available');
  });
});

describe('the clock', () => {
  it('can be turned to where a deletion is due, and back; requests go on all the while', async () => {
    const KeyId = await account.newKey();
    await account.kms.send(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 }));
    await post('clock', { advanceSeconds: 6 * DAY_SECONDS });
    await expect(account.kms.send(new DescribeKeyCommand({ KeyId }))).resolves.toBeDefined();
    await post('clock', { advanceSeconds: 2 * DAY_SECONDS });
    const gone = await eventually(
      () =>
        account.kms.send(new DescribeKeyCommand({ KeyId })).then(
          () => '',
          (error: Error) => error.name,
        ),
      (name) => name !== '',
    );
    expect(gone).toBe('NotFoundException');
    const { CreateTime } = await account.volume({ Size: 1 });
    expect(CreateTime?.getTime()).toBeGreaterThan(Date.now() + 7 * DAY_SECONDS * 1000);
    expect((await post('clock', {})).status).toBe(200);
    const { time } = (await (await fetch(`${stack.endpoint}/_holdfast/clock`)).json()) as { time: string };
    expect(Math.abs(Date.parse(time) - Date.now())).toBeLessThan(5000);
  });
});
