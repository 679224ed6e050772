import type { ChildProcess } from 'node:child_process';
import { randomInt, randomUUID } from 'node:crypto';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FileProvider, type Pkcs11Options, pkcs11Provider, type RootKeyStatus } from '@holdfast/root-keys';
import { type SoftHsm, startSoftHsm } from '@holdfast/root-keys/testing';
import type { ServiceEnvironment } from '@holdfast/service-kit';
import { startTestStack, type TestStack } from '@holdfast/service-kit/testing';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { start } from './service.ts';
import { Caller } from './testing/caller.ts';
import { KmsProgram } from './testing/kms-process.ts';
import { ACCOUNT } from './testing/running-kms.ts';

let folder: string;
let stack: TestStack;
let hsm: SoftHsm;
let token: Pkcs11Options;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-kms-root-'));
  [stack, hsm] = await Promise.all([startTestStack(inject('postgresAdminUrl')), startSoftHsm()]);
  token = await hsm.newToken('holdfast', '123456');
}, 300_000);
afterAll(async () => {
  await stack.close();
  await hsm.remove();
  await rm(folder, { recursive: true });
});

const me = () => new Caller(stack.bus, ACCOUNT);
const status = (): Promise<RootKeyStatus> => me().raw('GetRootKeyStatus', {});
const allUnderCurrent = () => expect.poll(async () => (await status()).blobsUnderOthers, { interval: 50 }).toBe(0);

describe('kms with its root key in a PKCS#11 token', () => {
  it('does not start before there is one', async () => {
    const environment = await stack.environment({ pkcs11: token });
    await expect(start(environment)).rejects.toThrow(
      'token holdfast has no root key of kms: make one with "holdfast root-key create kms"',
    );
  });

  it('works, also after a restart, a rotation, and without the version before', async () => {
    const provider = pkcs11Provider(token, 'kms');
    const { versionId: first } = await provider.create();
    const environment = await stack.environment({ pkcs11: token });
    let service = await start(environment);
    const restart = async () => {
      await service.close();
      service = await start(environment);
    };
    try {
      const { id: KeyId } = await me().newKey();
      const { id: signing } = await me().newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
      const { CiphertextBlob } = await me().call('Encrypt', { KeyId, Plaintext: Buffer.from('kept') });
      const signed = {
        KeyId: signing,
        Message: Buffer.from('m').toString('base64'),
        SigningAlgorithm: 'ECDSA_SHA_256',
      };
      const { Signature } = await me().call('Sign', signed);
      const works = async () => {
        expect((await me().call('Decrypt', { CiphertextBlob })).Plaintext.toString()).toBe('kept');
        expect((await me().call('Verify', { ...signed, Signature })).SignatureValid).toBe(true);
        await me().call('Sign', signed);
      };
      await restart();
      await works();
      expect(await status()).toMatchObject({
        ...{ service: 'kms', provider: 'pkcs11', origin: 'token holdfast', currentVersion: first },
        versions: [{ state: 'current', blobs: { key_material: 2, service_secrets: 6 } }],
      });
      const { versionId: second } = await me().raw('RotateRootKey', {});
      expect(second).not.toBe(first);
      await allUnderCurrent();
      await restart();
      await works();
      const { versions } = await status();
      expect(versions.map(({ versionId, state }) => [versionId, state])).toEqual([
        [second, 'current'],
        [first, 'former'],
      ]);
      expect(versions[0]!.blobs).toEqual({ key_material: 2, service_secrets: 6 });
      expect(await me().raw('RetireRootKey', { versionId: first.slice(0, 8) })).toEqual({
        versionId: first,
        leftToDo: null,
      });
      expect((await provider.versions()).map(({ versionId }) => versionId)).toEqual([second]);
      await restart();
      await works();
      await me().newKey();
      const moved = { ...environment, settings: { rootKeyFile: join(folder, 'other.key') } };
      await expect(start(moved)).rejects.toThrow('other.key is missing');
    } finally {
      await service.close();
      await provider.close();
    }
  });
});

describe('replicas that do not share their key file', () => {
  it('keep the root key as it is until all of them have the new one', async () => {
    const [mine, theirs] = [join(folder, 'mine.key'), join(folder, 'theirs.key')];
    await new FileProvider(mine, 'kms').createFirst();
    await copyFile(mine, theirs);
    const environment = await stack.environment({ rootKeyFile: mine });
    const replicas = [await start(environment), await start({ ...environment, settings: { rootKeyFile: theirs } })];
    try {
      await me().newKey();
      const { currentVersion } = await status();
      // Whichever is asked makes a version that the other cannot find; the second try is another one's, or the same again.
      const refusal = {
        code: 'RootKeyRefused',
        message: expect.stringMatching(/ cannot find version [0-9a-f]{64}: give it/),
      };
      await expect(me().raw('RotateRootKey', {})).rejects.toMatchObject(refusal);
      expect((await status()).currentVersion).toBe(currentVersion);
      const longest = (await Promise.all([mine, theirs].map((file) => readFile(file, 'utf8')))).sort(
        (a, b) => b.length - a.length,
      )[0]!;
      for (const file of [mine, theirs]) await writeFile(file, longest, { mode: 0o600 });
      await me().raw('RotateRootKey', {});
      await allUnderCurrent();
      expect((await status()).currentVersion).not.toBe(currentVersion);
      await me().newKey();
    } finally {
      for (const replica of replicas) await replica.close();
    }
  });
});

describe('replicas that are killed while the root key is rotated, under load', () => {
  it('lose no key, leave nothing under the version before, and go on by themselves', async () => {
    const seed = Number(process.env['HOLDFAST_TEST_SEED'] ?? randomInt(2 ** 31));
    let state = seed;
    const draw = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
      return (state >> 8) % below;
    };
    const file = join(folder, 'keys', 'root.key');
    const environment: ServiceEnvironment = await stack.environment();
    const program = await KmsProgram.build();
    const run = () => program.start(environment, file);
    let replicas: ChildProcess[] = await Promise.all([run(), run()]);
    /** Whoever was killed with a request does not answer it; on a slow machine the living need longer for theirs. */
    let patienceMs = 2000;
    const soon = () => ({ requestId: randomUUID(), deadlineMs: Date.now() + patienceMs });
    const made: string[] = [];
    let stopped = false;
    const users = Array.from({ length: 4 }, async () => {
      while (!stopped) {
        await (async () => {
          const { KeyMetadata } = await me().raw('CreateKey', {}, soon());
          const input = { KeyId: KeyMetadata.KeyId, NumberOfBytes: 32 };
          made.push((await me().raw('GenerateDataKeyWithoutPlaintext', input, soon())).CiphertextBlob);
          await sleep(20);
        })().catch(() => {
          patienceMs = Math.min(1.2 * patienceMs, 30_000);
          return sleep(20);
        });
      }
    });
    /** Asked until a replica that lives answers. */
    const persist = async <T>(action: string, input: object): Promise<T> => {
      const giveUpAt = Date.now() + 120_000;
      for (;;) {
        try {
          return (await me().raw(action, input, soon())) as T;
        } catch (error) {
          if (Date.now() > giveUpAt) throw error;
          await sleep(100);
        }
      }
    };
    try {
      await expect.poll(() => made.length).toBeGreaterThan(40);
      const rotated = persist('RotateRootKey', {});
      // A second to ask the replicas, then the switch, then the work: it may happen anywhere in it, to both at once.
      await sleep(draw(1500));
      await Promise.all(replicas.map((replica) => program.kill(replica)));
      replicas = await Promise.all([run(), run()]);
      await rotated;
      await expect
        .poll(async () => (await persist<RootKeyStatus>('GetRootKeyStatus', {})).blobsUnderOthers, {
          ...{ timeout: 30_000, interval: 50 },
          message: `seed ${String(seed)}`,
        })
        .toBe(0);
      stopped = true;
      await Promise.all(users);
      const { versions, blobsUnderOthers, currentVersion } = await persist<RootKeyStatus>('GetRootKeyStatus', {});
      expect(blobsUnderOthers, `seed ${String(seed)}`).toBe(0);
      for (const { versionId } of versions) {
        if (versionId !== currentVersion) await persist('RetireRootKey', { versionId });
      }
      expect((await readFile(file, 'utf8')).trim().split('\n'), `seed ${String(seed)}`).toHaveLength(1);
      // What was made before the kill is in no replica's memory.
      const opened = made.map(
        async (CiphertextBlob) => (await me().call('Decrypt', { CiphertextBlob })).Plaintext.length,
      );
      expect(new Set(await Promise.all(opened)), `seed ${String(seed)}`).toEqual(new Set([32]));
    } finally {
      stopped = true;
      await Promise.all(users);
      await program.remove();
    }
  }, 300_000);
});
