import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { instancePrincipal, newInstanceId, newVolumeId } from '@holdfast/contracts';
import { testContext } from '@holdfast/messaging/testing';
import { resetServices } from '@holdfast/service-kit';
import { NbdClient } from '@holdfast/nbd/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { debianTool } from '../../../tools/testing/debian-tools.mjs';
import { buildDataPlane, filesUnder, removeBundle, TestHost, until } from './testing/harness.ts';
import { lockHolder } from './testing/lock-holder.ts';

const GIB = 1_073_741_824;
let bundle: string;
let host: TestHost;
beforeAll(async () => {
  bundle = await buildDataPlane();
  host = new TestHost(bundle);
  await host.start();
});
afterAll(async () => {
  await host.stop();
  removeBundle(bundle);
});

describe('an export', () => {
  it('is a socket only its owner can open, whose device keeps what is written', async () => {
    const { socketPath, volumeId, instanceId } = await host.attached({ key: 'a' });
    expect(socketPath).toBe(join(host.home, 'instances', instanceId, 'dev', 'sdf'));
    expect(statSync(socketPath).mode & 0o777).toBe(0o600);
    const client = await NbdClient.connect(socketPath);
    expect(client.sizeBytes).toBe(GIB);
    const data = randomBytes(1_000_000);
    await client.write(777, data);
    expect((await client.read(777, data.length)).equals(data)).toBe(true);
    await client.close();
    await host.call('CloseExport', { volumeId, instanceId });
    expect(existsSync(socketPath)).toBe(false);
    const again = await host.attach(volumeId, host.kms.use('a', volumeId), 'xvdb');
    const second = await NbdClient.connect(again.socketPath);
    expect((await second.read(777, data.length)).equals(data)).toBe(true);
    expect((await second.read(GIB - 4096, 4096)).equals(Buffer.alloc(4096))).toBe(true);
    await second.close();
  });

  it('leaves neither plaintext nor keys anywhere under the state folder', async () => {
    const { socketPath, volumeId, instanceId } = await host.attached({ key: 'secret' });
    const client = await NbdClient.connect(socketPath);
    const marker = randomBytes(48);
    await client.write(0, Buffer.concat(Array.from({ length: 40_000 }, () => marker)));
    await client.flush();
    const snapshotId = await host.snapshot(volumeId);
    await client.write(0, Buffer.concat(Array.from({ length: 40_000 }, () => marker)));
    await host.settled(snapshotId);
    await client.close();
    await host.call('CloseExport', { volumeId, instanceId });
    const key = host.kms.keys.get('secret')!;
    const needles = [marker, key.subarray(0, 32), key.subarray(32), Buffer.from(key.toString('base64'))];
    const haystacks = [...filesUnder(host.home), ['the log', Buffer.from(host.log)] as const];
    expect(haystacks.length).toBeGreaterThan(5);
    for (const [path, bytes] of haystacks)
      for (const needle of needles) expect(bytes.includes(needle), path).toBe(false);
  });

  it('says for an unencrypted volume what is on disk, so the search above can find plaintext', async () => {
    const { socketPath, volumeId, instanceId } = await host.attached();
    const client = await NbdClient.connect(socketPath);
    const marker = randomBytes(48);
    await client.write(4096, marker);
    await client.close();
    await host.call('CloseExport', { volumeId, instanceId });
    const holding = filesUnder(host.home).filter(([, bytes]) => bytes.includes(marker));
    expect(holding.map(([path]) => path)).toEqual([join(host.home, 'data-plane', 'volumes', volumeId, 'data')]);
  });

  it('asks kms as the principal of the attachment, and for the volume it is', async () => {
    const { volumeId, dataKey } = await host.attached({ key: 'who' });
    const asked = host.kms.asked.filter(({ keyId }) => keyId === 'who');
    expect(asked).toHaveLength(2); // Once to prove the key at allocation, once to open.
    const expected = { keyId: 'who', principal: dataKey!.principal.arn, context: { 'aws:ebs:id': volumeId } };
    expect(asked[1]).toEqual(expected);
  });

  it('is served by processes that leave no core dump', async () => {
    const { volumeId } = await host.attached({ key: 'a' });
    const pid = lockHolder(host.home, volumeId);
    expect(readFileSync(`/proc/${pid}/limits`, 'utf8')).toMatch(/Max core file size\s+0\s+0/);
    expect(Number.parseInt(readFileSync(`/proc/${pid}/coredump_filter`, 'utf8'), 16)).toBe(0);
  });

  it('opens and closes any number of times', async () => {
    const attachment = await host.attached({ key: 'a' });
    const { volumeId, instanceId, socketPath } = attachment;
    expect(await host.call('OpenExport', attachment)).toEqual({ socketPath });
    for (let times = 0; times < 2; times++)
      expect(await host.call('CloseExport', { volumeId, instanceId })).toEqual({});
    expect(await host.call('OpenExport', attachment)).toEqual({ socketPath });
  });

  it('is refused for another instance while it is open, and its volume is not removed', async () => {
    const attachment = await host.attached({ key: 'a' });
    const other = { ...attachment, instanceId: newInstanceId() };
    await expect(host.call('OpenExport', other)).rejects.toMatchObject({ code: 'VolumeBusy' });
    await expect(host.call('CloseExport', other)).resolves.toEqual({});
    await expect(host.call('RemoveVolume', attachment)).rejects.toMatchObject({ code: 'VolumeBusy' });
    await host.call('CloseExport', attachment);
    for (let times = 0; times < 2; times++) expect(await host.call('RemoveVolume', attachment)).toEqual({});
    await expect(host.call('OpenExport', attachment)).rejects.toMatchObject({ code: 'VolumeNotFound' });
  });

  it('is refused for devices and ids that would leave their folder', async () => {
    const attachment = await host.attached({ key: 'a' });
    const second = { ...attachment, device: '/dev/../../x' };
    await expect(host.call('OpenExport', second)).rejects.toMatchObject({ code: 'InvalidDevice' });
    await expect(host.call('RemoveVolume', { volumeId: '../..' as never })).rejects.toThrow();
    expect(existsSync(join(host.home, 'data-plane', 'volumes', attachment.volumeId))).toBe(true);
  });
});

describe('a volume with Multi-Attach', () => {
  /** One more instance's export, under a grant of its own. */
  const another = async (first: Awaited<ReturnType<TestHost['attached']>>) => {
    const instanceId = newInstanceId();
    const principal = instancePrincipal(testContext().accountId, instanceId);
    const dataKey = first.dataKey === undefined ? undefined : { ...first.dataKey, principal };
    const attachment = { ...first, instanceId, dataKey, multiAttach: true };
    host.attachments.push(attachment);
    return { ...attachment, ...(await host.call('OpenExport', attachment)) };
  };

  const shared = async (key: string) => {
    const first = await host.attached({ key, multiAttach: true });
    const second = await another(first);
    return { first, second, clients: await Promise.all([first, second].map(({ socketPath }) => NbdClient.connect(socketPath))) };
  }; // prettier-ignore

  it('is one device for all, down to parts of one encrypted unit written at once', async () => {
    const { first, second, clients } = await shared('shared');
    expect(second.socketPath).not.toBe(first.socketPath);
    const parts = Array.from({ length: 64 }, () => randomBytes(512));
    await Promise.all(parts.map((part, index) => clients[index % 2]!.write(8192 + index * 512, part)));
    for (const client of clients) expect((await client.read(8192, 64 * 512)).equals(Buffer.concat(parts))).toBe(true);
    // A flush on one covers what the other was told is written.
    await clients[0]!.flush();
    const asked = host.kms.asked.filter(({ keyId }) => keyId === 'shared').map(({ principal }) => principal);
    expect(asked.slice(-2)).toEqual([first.dataKey!.principal.arn, second.dataKey!.principal.arn]);
    for (const client of clients) await client.close();
  });

  it('goes on for one when the other is detached, and is snapshotted as both see it', async () => {
    const { first, second, clients } = await shared('shared-2');
    const [before, after] = [randomBytes(4096), randomBytes(4096)];
    await clients[0]!.write(0, before);
    const snapshotId = await host.snapshot(first.volumeId);
    await clients[1]!.write(0, after);
    await host.call('CloseExport', first);
    expect(existsSync(first.socketPath)).toBe(false);
    expect((await clients[1]!.read(0, 4096)).equals(after)).toBe(true);
    await expect(host.call('RemoveVolume', first)).rejects.toMatchObject({ code: 'VolumeBusy' });
    expect(await host.settled(snapshotId)).toMatchObject({ state: 'completed' });
    const restored = newVolumeId();
    await host.allocate({
      volumeId: restored,
      sizeGiB: 1,
      dataKey: first.dataKey,
      source: { snapshotId, dataKey: first.dataKey },
    });
    const third = await host.attach(restored, first.dataKey);
    const client = await NbdClient.connect(third.socketPath);
    expect((await client.read(0, 4096)).equals(before)).toBe(true);
    await Promise.all([client.close(), clients[1]!.close()]);
    await host.call('CloseExport', second);
    expect(await host.call('RemoveVolume', first)).toEqual({});
  });

  it('is served to all again after its block host was killed', async () => {
    const { first, second, clients } = await shared('shared-3');
    const written = randomBytes(4096);
    await clients[1]!.write(0, written);
    const pid = () => lockHolder(host.home, first.volumeId);
    const killed = pid();
    process.kill(killed, 'SIGKILL');
    for (const { socketPath } of [first, second]) {
      let client: NbdClient | null = null;
      await until(
        `${socketPath} answers`,
        async () => {
          client = await NbdClient.connect(socketPath).catch(() => null);
          return client !== null;
        },
        30_000,
      );
      expect((await client!.read(0, 4096)).equals(written)).toBe(true);
      await client!.close();
    }
    expect(pid()).not.toBe(killed);
  });

  it('keeps the others when one of them may not use the key', async () => {
    const { first, clients } = await shared('shared-4');
    host.kms.disabled.add('shared-4');
    await expect(another(first)).rejects.toMatchObject({ code: 'KmsKeyUnusable' });
    await clients[0]!.write(0, randomBytes(512));
    for (const client of clients) await client.close();
  });
});

describe('a volume made from a snapshot', () => {
  it('is initialized no faster than it was to be, and tells how far it is', { timeout: 300_000 }, async () => {
    const MIB = 1_048_576;
    const { socketPath, volumeId, dataKey } = await host.attached({ key: 'rate' });
    const client = await NbdClient.connect(socketPath);
    for (let at = 0; at < 80; at++) await client.write(at * MIB, randomBytes(MIB));
    await client.close();
    const snapshotId = await host.snapshot(volumeId);
    await host.settled(snapshotId);
    const source = { snapshotId, dataKey };
    let isSeen = false;
    // It takes less than a second, in which a busy machine may not come to ask.
    for (let tries = 0; tries < 10 && !isSeen; tries++) {
      const restored = newVolumeId();
      const begunMs = performance.now();
      await host.allocate({ volumeId: restored, sizeGiB: 1, dataKey, source, initializationRateMiBps: 100 });
      const told: { progress: number; secondsLeft: number | null }[] = [];
      await until('it is initialized', async () => {
        const { initializations } = await host.call('GetInitialization', { volumeIds: [restored] });
        told.push(...initializations);
        return initializations[0]?.progress === 100;
      });
      expect(performance.now() - begunMs).toBeGreaterThan(700);
      expect(told.at(-1)).toMatchObject({ secondsLeft: 0 });
      const progress = told.map((each) => each.progress);
      expect(progress).toEqual([...progress].sort((x, y) => x - y));
      const underWay = told.filter(({ progress: percent }) => percent > 0 && percent < 100);
      isSeen = underWay.some(({ secondsLeft }) => secondsLeft === 1);
    }
    expect(isSeen).toBe(true);
    const other = newVolumeId();
    await host.allocate({ volumeId: other, sizeGiB: 1 });
    expect(await host.call('GetInitialization', { volumeIds: [other] })).toEqual({
      initializations: [{ volumeId: other, progress: 100, secondsLeft: 0 }],
    });
  });
});

describe('a key that can not be used', () => {
  it('stops an allocation with the words of KMS, and leaves nothing', async () => {
    const volumeId = newVolumeId();
    const dataKey = host.kms.use('off', volumeId);
    host.kms.disabled.add('off');
    const failing = host.allocate({ volumeId, sizeGiB: 1, dataKey });
    await expect(failing).rejects.toMatchObject({ code: 'KmsKeyUnusable', message: `${dataKey.keyArn} is disabled.` });
    expect(readdirSync(join(host.home, 'data-plane', 'volumes'))).not.toContain(volumeId);
    host.kms.disabled.delete('off');
    await host.allocate({ volumeId, sizeGiB: 1, dataKey });
  });

  it('does not disturb an open export, and stops the next', async () => {
    const attachment = await host.attached({ key: 'later' });
    const client = await NbdClient.connect(attachment.socketPath);
    host.kms.disabled.add('later');
    await client.write(0, randomBytes(4096));
    await client.flush();
    await client.close();
    await host.call('CloseExport', attachment);
    await expect(host.call('OpenExport', attachment)).rejects.toMatchObject({ code: 'KmsKeyUnusable' });
    expect(existsSync(attachment.socketPath)).toBe(false);
  });

  it('is also one that unwraps to another data key than the blocks are under', async () => {
    const attachment = await host.attached({ key: 'right' });
    await host.call('CloseExport', attachment);
    host.kms.keys.set('right', randomBytes(64));
    await expect(host.call('OpenExport', attachment)).rejects.toMatchObject({ code: 'WrongDataKey' });
  });

  it('does not pass for another: an encrypted volume is not opened without key, nor a plain one with', async () => {
    const encrypted = await host.attached({ key: 'a' });
    await host.call('CloseExport', encrypted);
    const without = host.call('OpenExport', { ...encrypted, dataKey: undefined });
    await expect(without).rejects.toMatchObject({ code: 'EncryptionMismatch' });
    const plain = await host.attached();
    await host.call('CloseExport', plain);
    const withKey = host.call('OpenExport', { ...plain, dataKey: host.kms.use('a', plain.volumeId) });
    await expect(withKey).rejects.toMatchObject({ code: 'EncryptionMismatch' });
  });
});

describe('clients of other projects', () => {
  it('nbdcopy writes a file and reads it back; qemu-io trims and reads zeros', { timeout: 300_000 }, async () => {
    const { socketPath } = await host.attached({ key: 'a' });
    const run = async (program: string, ...args: string[]) => {
      const { path, env } = await debianTool(program);
      return promisify(execFile)(path, args, { env });
    };
    const folder = mkdtempSync(join(tmpdir(), 'hf-nbd-'));
    try {
      const content = Buffer.concat([randomBytes(2_000_000), Buffer.alloc(2_000_000), randomBytes(200_000)]);
      writeFileSync(join(folder, 'in'), content);
      const uri = `nbd+unix:///?socket=${socketPath}`;
      await run('nbdcopy', '--flush', join(folder, 'in'), uri);
      await run('nbdcopy', uri, join(folder, 'out'));
      const out = readFileSync(join(folder, 'out'));
      expect(out.length).toBe(GIB);
      expect(out.subarray(0, content.length).equals(content)).toBe(true);
      const commands = ['write -P 0x5a 1M 3M', 'discard 2M 1M', 'flush', 'read -P 0 2M 1M', 'read -P 0x5a 3M 1M'];
      const { stdout } = await run(
        'qemu-io',
        '-f',
        'raw',
        ...commands.flatMap((c) => ['-c', c]),
        `nbd+unix:///?socket=${socketPath}`,
      );
      expect(stdout).not.toMatch(/failed|error/i);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('in development mode', () => {
  it('a reset forgets everything', async () => {
    const fresh = new TestHost(bundle);
    await fresh.start();
    try {
      const attachment = await fresh.attached({ key: 'a' });
      await fresh.snapshot(attachment.volumeId);
      await resetServices(fresh.bus.connection, ['data-plane']);
      expect(existsSync(attachment.socketPath)).toBe(false);
      expect(readdirSync(join(fresh.home, 'data-plane', 'volumes'))).toEqual([]);
      await expect(fresh.call('OpenExport', attachment)).rejects.toMatchObject({ code: 'VolumeNotFound' });
      await fresh.attached({ key: 'a' });
    } finally {
      await fresh.stop();
    }
  });
});
