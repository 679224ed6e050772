import type { ChildProcess } from 'node:child_process';
import { randomInt, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ServiceEnvironment, turnClocks } from '@holdfast/service-kit';
import { startTestStack, type TestStack } from '@holdfast/service-kit/testing';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Caller } from './testing/caller.ts';
import { KmsProgram } from './testing/kms-process.ts';
import { ACCOUNT } from './testing/running-kms.ts';

let folder: string;
let stack: TestStack;
let environment: ServiceEnvironment;
let program: KmsProgram;
let sql: pg.Pool;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-kms-'));
  [stack, program] = await Promise.all([startTestStack(inject('postgresAdminUrl')), KmsProgram.build()]);
  environment = await stack.environment();
  sql = new pg.Pool({ connectionString: environment.migrationDatabaseUrl, max: 2 });
});
afterAll(async () => {
  await program.remove();
  await sql.end();
  await stack.close();
  await rm(folder, { recursive: true });
});

const start = () => program.start(environment, join(folder, 'root.key'));
const DAY_MS = 86_400_000;

describe('two replicas that are killed in turn, under load', () => {
  it('answer nothing that is not in the log, and leave no account with two EBS keys or half of one', async () => {
    let replicas: [ChildProcess, ChildProcess] = [await start(), await start()];
    const me = new Caller(stack.bus, ACCOUNT);
    const { id: KeyId } = await me.newKey();
    const answered: string[] = [];
    const accounts = new Set<string>();
    let stopped = false;
    /** Whoever was killed with a request does not answer it; the next one is sent to the other. */
    const attempt = (work: () => Promise<unknown>) => work().then(() => true, () => false); // prettier-ignore
    const soon = () => ({ requestId: randomUUID(), deadlineMs: Date.now() + 3000 });
    const users = Array.from({ length: 6 }, async () => {
      while (!stopped) {
        const fields = soon();
        const input = { KeyId, NumberOfBytes: 64 };
        const isAnswered = await attempt(() => me.raw('GenerateDataKeyWithoutPlaintext', input, fields));
        if (isAnswered) answered.push(fields.requestId);
      }
    });
    const newcomers = Array.from({ length: 3 }, async () => {
      while (!stopped) {
        const account = String(randomInt(10 ** 11, 10 ** 12 - 1));
        accounts.add(account);
        const caller = new Caller(stack.bus, account);
        const describeEbs = () => attempt(() => caller.raw('DescribeKey', { KeyId: 'alias/aws/ebs' }, soon()));
        await Promise.all([describeEbs(), describeEbs(), describeEbs()]);
      }
    });
    for (let round = 0; round < 3; round++) {
      await sleep(randomInt(100, 400));
      const [oldest, other] = replicas;
      await program.kill(oldest);
      replicas = [other, await start()];
    }
    stopped = true;
    await Promise.all([...users, ...newcomers]);

    expect(answered.length).toBeGreaterThan(20);
    const { rows } = await sql.query<{ id: string }>(
      `SELECT data->>'requestId' AS id FROM events WHERE type = 'KeyUsed'`,
    );
    const logged = new Set(rows.map(({ id }) => id));
    expect(answered.filter((id) => !logged.has(id))).toEqual([]);
    for (const account of accounts) {
      const caller = new Caller(stack.bus, account);
      const { KeyMetadata } = await caller.call('DescribeKey', { KeyId: 'alias/aws/ebs' });
      const { Keys } = await caller.call('ListKeys');
      expect(Keys).toEqual([{ KeyId: KeyMetadata.KeyId, KeyArn: KeyMetadata.Arn }]);
    }
    await Promise.all(replicas.map((replica) => program.kill(replica)));
  }, 120_000);
});

describe('a process that is killed while it deletes keys', () => {
  it('goes on where it stopped, and every name is free afterwards', async () => {
    let child = await start();
    const me = new Caller(stack.bus, ACCOUNT);
    const names = Array.from({ length: 30 }, () => `alias/${randomUUID()}`);
    const keys: string[] = [];
    for (const AliasName of names) {
      const { id } = await me.newKey();
      keys.push(id);
      await me.call('CreateAlias', { AliasName, TargetKeyId: id });
      await me.call('ScheduleKeyDeletion', { KeyId: id, PendingWindowInDays: 7 });
    }
    const left = async () => {
      const { rows } = await sql.query<{ n: number }>(
        `SELECT count(*)::int AS n FROM (SELECT key_id FROM kms_keys UNION ALL SELECT key_id FROM key_material
           UNION ALL SELECT target_key_id FROM aliases) rest WHERE key_id = ANY ($1)`,
        [keys],
      );
      return rows[0]!.n;
    };
    const all = await left();
    expect(all).toBe(90);
    for (let kills = 0; kills < 3; kills++) {
      await turnClocks(stack.bus.connection, ['kms'], 8 * DAY_MS);
      const before = await left();
      await expect.poll(left, { timeout: 10_000, interval: 2 }).toBeLessThanOrEqual(Math.max(0, before - 5));
      await program.kill(child);
      child = await start();
    }
    await turnClocks(stack.bus.connection, ['kms'], 8 * DAY_MS);
    await expect.poll(left, { timeout: 10_000 }).toBe(0);
    const { id: TargetKeyId } = await me.newKey();
    for (const AliasName of names.slice(0, 10)) await me.call('CreateAlias', { AliasName, TargetKeyId });
    await program.kill(child);
  }, 120_000);
});

describe('a process that is killed between making material and creating its key', () => {
  it('leaves nothing behind: the material is swept, and that of keys stays', async () => {
    const stopped = new pg.Client({ connectionString: environment.migrationDatabaseUrl });
    await stopped.connect();
    let child = await start();
    const me = new Caller(stack.bus, ACCOUNT);
    const { id: kept } = await me.newKey();
    const orphans = async (): Promise<string[]> => {
      const { rows } = await sql.query<{ key_id: string }>(
        `SELECT key_id FROM key_material m WHERE NOT EXISTS (SELECT FROM key_versions v WHERE v.key_id = m.key_id)`,
      );
      return rows.map(({ key_id: id }) => id);
    };
    expect(await orphans()).toEqual([]);
    // Whoever appends waits for this session, so the process can be killed right there.
    await sql.query(`
      CREATE FUNCTION wait_here() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NEW; END $$;
      CREATE TRIGGER wait_here BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION wait_here()`);
    await stopped.query('SELECT pg_advisory_lock(4711)');
    const creating = me.raw('CreateKey', {}, { deadlineMs: Date.now() + 60_000 }).catch(() => undefined);
    await expect.poll(async () => (await orphans()).length, { timeout: 20_000 }).toBe(1);
    await program.kill(child);
    await stopped.query('SELECT pg_advisory_unlock(4711)');
    await sql.query('DROP TRIGGER wait_here ON events; DROP FUNCTION wait_here');
    expect(await orphans()).toHaveLength(1); // A key could still come to name it, as far as anybody knows.
    await sql.query(`UPDATE key_material SET created_at = created_at - interval '2 hours'`);
    child = await start();
    await expect.poll(orphans, { timeout: 20_000 }).toEqual([]);
    await me.call('Encrypt', { KeyId: kept, Plaintext: Buffer.from('x') });
    await program.kill(child);
    await stopped.end();
    void creating; // Nobody is left to answer it.
  }, 120_000);
});
