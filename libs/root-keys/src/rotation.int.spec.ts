import { randomBytes, randomInt } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase, type TestDatabase } from '@holdfast/embedded/testing';
import { type Database, eventStoreMigrations, grantReadModel, openDatabase } from '@holdfast/event-store/postgres';
import type { QueryRunner } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { EnvironmentProvider } from './environment-provider.ts';
import { FileProvider } from './file-provider.ts';
import { CreateRootKeys1700000900000 } from './migration.ts';
import { beginRotation, retireVersion, rootKeyStatus } from './rotation.ts';
import { Mortality, RootKeyProcess } from './testing/root-key-process.ts';

class CreateThings1700000900001 {
  readonly name = 'CreateThings1700000900001';
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      'CREATE TABLE things (name text, part text, root_key_id text, wrapped bytea, PRIMARY KEY (name, part))',
    );
    await runner.query(grantReadModel('things'));
  }
  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE things');
  }
}

let test: TestDatabase;
let database: Database;
let folder: string;
let file: string;
let files = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-rotation-'));
  test = await createTestDatabase(inject('postgresAdminUrl'));
  database = await openDatabase({
    ...{ url: test.serviceUrl, migrationUrl: test.ownerUrl, applicationName: 'root-keys' },
    migrations: [...eventStoreMigrations, CreateRootKeys1700000900000, CreateThings1700000900001],
  });
});
afterAll(async () => {
  await database.close();
  await test.drop();
  await rm(folder, { recursive: true });
});
const forgetAll = async (): Promise<void> => {
  for (const table of ['root_key_versions', 'service_secrets', 'things']) await database.query(`DELETE FROM ${table}`);
  file = join(folder, `root-${String(++files)}.key`);
};
beforeEach(forgetAll);

const nobodyLacksIt = () => Promise.resolve([]);
const start = (life?: Mortality) => RootKeyProcess.start(database, new FileProvider(file, 'kms'), life);
const fill = async (process: RootKeyProcess, count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await process.store(`thing ${String(i)}`, `secret ${String(i)}`);
};
const expectAllReadable = async (process: RootKeyProcess, count: number): Promise<void> => {
  for (let i = 0; i < count; i++) expect(await process.read(`thing ${String(i)}`)).toBe(`secret ${String(i)}`);
};

describe('rotating a root key', () => {
  it('puts everything under the new version, after which the old one can go', async () => {
    const process = await start();
    await fill(process, 10);
    const before = await rootKeyStatus(process.rootKeys);
    const [{ versionId: old } = { versionId: '' }] = before.versions;
    expect(before).toMatchObject({
      ...{ provider: 'file', origin: file, currentVersion: old, blobsUnderOthers: 0 },
      versions: [{ state: 'current', location: file, blobs: { things: 10, service_secrets: 2 } }],
    });
    await expect(retireVersion(process.rootKeys, old)).rejects.toThrow('is current: rotate first');
    const { versionId, outcome } = await beginRotation(process.rootKeys, nobodyLacksIt);
    expect(outcome).toBe('begun');
    expect(await rootKeyStatus(process.rootKeys)).toMatchObject({ currentVersion: versionId, blobsUnderOthers: 12 });
    await expect(retireVersion(process.rootKeys, old)).rejects.toThrow(
      /still needed: 2 in service_secrets, 10 in things/,
    );
    expect(await beginRotation(process.rootKeys, nobodyLacksIt)).toEqual({ outcome: 'continues', versionId });
    expect(await process.rewrapper.pass()).toEqual({ wrapped: 12, failed: 0 });
    expect((await rootKeyStatus(process.rootKeys)).versions).toEqual([
      { versionId, state: 'current', location: file, blobs: { things: 10, service_secrets: 2 } },
      { versionId: old, state: 'former', location: file, blobs: {} },
    ]);
    expect(await retireVersion(process.rootKeys, old.slice(0, 8))).toEqual({ versionId: old, leftToDo: null });
    expect(await retireVersion(process.rootKeys, old)).toEqual({ versionId: old, leftToDo: null });
    expect((await readFile(file, 'utf8')).trim().split('\n')).toHaveLength(1);
    await expectAllReadable(process, 10);
    expect((await rootKeyStatus(process.rootKeys)).versions[1]).toMatchObject({ state: 'retired', location: null });
    const again = await start();
    await expectAllReadable(again, 10);
    for (const purpose of ['one', 'two'])
      expect(again.secrets.derive(purpose)).toEqual(process.secrets.derive(purpose));
    expect(again.secrets.derive('one')).not.toEqual(again.secrets.derive('two'));
  });

  it('is learnt by another process with its next write, and its next read', async () => {
    const [one, other] = [await start(), await start()];
    await fill(one, 3);
    const { versionId } = await beginRotation(one.rootKeys, nobodyLacksIt);
    await one.rewrapper.pass();
    await expectAllReadable(other, 3);
    await other.store('new', 'new secret');
    expect(await one.read('new')).toBe('new secret');
    expect((await rootKeyStatus(other.rootKeys)).versions[0]).toMatchObject({ versionId, blobs: { things: 4 } });
  });

  it('goes on from wherever a process was killed, and loses nothing', async () => {
    let survived = false;
    let diesAt = 1;
    // Odd steps are before a call, even ones after it; a rotation has the same ones each time.
    for (; !survived; diesAt += 3) {
      await forgetAll();
      const whole = await start();
      await fill(whole, 5);
      const life = new Mortality(diesAt);
      const dies = async () => {
        const process = await start(life);
        await beginRotation(process.rootKeys, nobodyLacksIt);
        await process.rewrapper.pass();
        const old = (await rootKeyStatus(process.rootKeys)).versions.find(({ state }) => state === 'former');
        if (old !== undefined) await retireVersion(process.rootKeys, old.versionId);
        return true;
      };
      survived = await dies().catch((error: Error) => error.message !== 'killed');
      await expectAllReadable(whole, 5);
      const heir = await start();
      await heir.rewrapper.pass();
      const { versions, blobsUnderOthers } = await rootKeyStatus(heir.rootKeys);
      expect(blobsUnderOthers, `killed at step ${String(diesAt)}`).toBe(0);
      if (
        versions[0]!.state === 'current' &&
        versions.every(({ state }) => state !== 'former' && state !== 'retired')
      ) {
        await beginRotation(heir.rootKeys, nobodyLacksIt);
        await heir.rewrapper.pass();
      }
      for (const { versionId, state } of (await rootKeyStatus(heir.rootKeys)).versions) {
        if (state !== 'current') await retireVersion(heir.rootKeys, versionId);
      }
      // One version was taken, and at most one made: none is left over.
      const after = (await rootKeyStatus(heir.rootKeys)).versions;
      expect(
        after.map(({ state }) => state),
        `killed at step ${String(diesAt)}`,
      ).toEqual(['current', 'retired']);
      expect((await readFile(file, 'utf8')).trim().split('\n')).toHaveLength(1);
      await expectAllReadable(heir, 5);
    }
    expect(diesAt).toBeGreaterThan(100);
  }, 600_000);

  it('loses nothing that is written, deleted or written again meanwhile', async () => {
    const seed = Number(process.env['HOLDFAST_TEST_SEED'] ?? randomInt(2 ** 31));
    let state = seed;
    const draw = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
      return (state >> 8) % below;
    };
    const processes = [await start(), await start(), await start()] as const;
    const expected = new Map<string, string>();
    let stopped = false;
    const writers = Array.from({ length: 6 }, async (_, writer) => {
      for (let n = 0; !stopped; n++) {
        const name = `${String(writer)}/${String(draw(40))}`;
        if (draw(4) === 0) {
          await database.query('DELETE FROM things WHERE name = $1', [name]);
          expected.delete(name);
        } else {
          await processes[draw(3) as 0 | 1 | 2].store(name, `secret ${String(n)}`);
          expected.set(name, `secret ${String(n)}`);
        }
      }
    });
    for (let round = 0; round < 5; round++) {
      const { versionId } = await beginRotation(processes[0].rootKeys, nobodyLacksIt);
      // Every other time the others have nothing but their own writes to learn of the new version by.
      if (round % 2 === 1) await Promise.all(processes.map(({ rewrapper }) => rewrapper.pass()));
      await processes[0].rewrapper.pass();
      const { versions, blobsUnderOthers } = await rootKeyStatus(processes[0].rootKeys);
      // Nothing is ever stored under a former version, so this stays 0 however the writers go on.
      expect(blobsUnderOthers, `seed ${String(seed)}`).toBe(0);
      for (const version of versions) {
        if (version.versionId === versionId || version.state === 'retired') continue;
        await retireVersion(processes[0].rootKeys, version.versionId);
      }
    }
    stopped = true;
    await Promise.all(writers);
    const names = await database.query<{ name: string }>('SELECT name FROM things');
    expect(names.map(({ name }) => name).sort(), `seed ${String(seed)}`).toEqual([...expected.keys()].sort());
    for (const [name, secret] of expected) expect(await processes[0].read(name), `seed ${String(seed)}`).toBe(secret);
  }, 600_000);

  it('leaves what cannot be opened as it is, and tells', async () => {
    const process = await start();
    await fill(process, 8);
    await database.query(
      `UPDATE things SET wrapped = (SELECT wrapped FROM things WHERE name = 'thing 1') WHERE name = 'thing 0'`,
    );
    const [old] = (await rootKeyStatus(process.rootKeys)).versions;
    await beginRotation(process.rootKeys, nobodyLacksIt);
    expect(await process.rewrapper.pass()).toEqual({ wrapped: 9, failed: 1 });
    expect((await rootKeyStatus(process.rootKeys)).blobsUnderOthers).toBe(1);
    await expect(retireVersion(process.rootKeys, old!.versionId)).rejects.toThrow('1 in things are under it');
    expect((await beginRotation(process.rootKeys, nobodyLacksIt)).outcome).toBe('continues');
    expect((await beginRotation(process.rootKeys, nobodyLacksIt, true)).outcome).toBe('begun');
    await process.rewrapper.pass();
    expect((await rootKeyStatus(process.rootKeys)).blobsUnderOthers).toBe(1);
  });

  it('goes by what blobs say of themselves, whatever the table says beside them', async () => {
    const process = await start();
    await fill(process, 2);
    const [old] = (await rootKeyStatus(process.rootKeys)).versions;
    const { versionId } = await beginRotation(process.rootKeys, nobodyLacksIt);
    await database.query('UPDATE things SET root_key_id = $1', [versionId]);
    expect((await rootKeyStatus(process.rootKeys)).blobsUnderOthers).toBe(4);
    await expect(retireVersion(process.rootKeys, old!.versionId)).rejects.toThrow('2 in things');
    await process.rewrapper.pass();
    expect((await rootKeyStatus(process.rootKeys)).blobsUnderOthers).toBe(0);
    await expectAllReadable(process, 2);
  });
});

describe('versions', () => {
  it('that a process cannot find are not made current', async () => {
    const process = await start();
    const ask = (versionId: string) => Promise.resolve([`host/1 (${versionId.slice(0, 0)}asked)`]);
    await expect(beginRotation(process.rootKeys, ask)).rejects.toThrow('host/1 (asked) cannot find version');
    const { versions, currentVersion } = await rootKeyStatus(process.rootKeys);
    expect(versions.map(({ state }) => state)).toEqual(['current', 'unused']);
    expect(currentVersion).toBe(versions[0]!.versionId);
    // The one that was made is taken by the next try.
    expect((await beginRotation(process.rootKeys, nobodyLacksIt)).versionId).toBe(versions[1]!.versionId);
    expect((await rootKeyStatus(process.rootKeys)).versions).toHaveLength(2);
  });

  it('of the environment are added and removed there, and rotated here', async () => {
    const [first, second] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')];
    const startWith = (value: string) =>
      RootKeyProcess.start(database, new EnvironmentProvider('HOLDFAST_KEY', value, 'kms'));
    const before = await startWith(first);
    await fill(before, 3);
    await expect(beginRotation(before.rootKeys, nobodyLacksIt)).rejects.toThrow('add a new key to HOLDFAST_KEY');
    const after = await startWith(`${second},${first}`);
    expect(after.rootKeys.currentVersion).toBe(before.rootKeys.currentVersion);
    await beginRotation(after.rootKeys, nobodyLacksIt);
    await after.rewrapper.pass();
    const { leftToDo } = await retireVersion(after.rootKeys, before.rootKeys.currentVersion);
    expect(leftToDo).toBe('nothing needs it any more: remove it from HOLDFAST_KEY of every replica');
    await expectAllReadable(await startWith(second), 3);
    await expect(startWith(first)).rejects.toThrow('HOLDFAST_KEY lacks root key');
    // A retired version is never used again, though it is still configured.
    await expect(beginRotation(after.rootKeys, nobodyLacksIt)).rejects.toThrow('add a new key');
  });

  it('are chosen by a beginning that is no other one’s', async () => {
    const process = await start();
    await expect(retireVersion(process.rootKeys, 'zz')).rejects.toThrow('there is no root key version zz');
    await expect(retireVersion(process.rootKeys, '')).rejects.toThrow('there is no root key version');
  });

  it('that wrap something must be there at a start, and the file is not made anew', async () => {
    await fill(await start(), 1);
    await rm(file);
    await expect(start()).rejects.toThrow(`${file} is missing, and existing keys are wrapped by its root key`);
    await new FileProvider(file, 'kms').createFirst();
    await expect(start()).rejects.toThrow(/lacks root key [0-9a-f]{64}, which wraps existing keys/);
  });

  it('are one when several processes start at once', async () => {
    const all = await Promise.all(Array.from({ length: 5 }, () => start()));
    expect(new Set(all.map(({ rootKeys }) => rootKeys.currentVersion)).size).toBe(1);
    expect(new Set(all.map(({ secrets }) => secrets.derive('one').toString('hex'))).size).toBe(1);
  });
});
