import type { ChildProcess } from 'node:child_process';
import { randomInt, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ServiceEnvironment, turnClocks } from '@holdfast/service-kit';
import { startTestStack, type TestStack } from '@holdfast/service-kit/testing';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { Caller } from './testing/caller.ts';
import { KmsProgram } from './testing/kms-process.ts';
import { ACCOUNT } from './testing/running-kms.ts';

let program: KmsProgram;
let folder: string;
let stack: TestStack;
let environment: ServiceEnvironment;
let sql: pg.Pool;

beforeAll(async () => {
  program = await KmsProgram.build();
});
afterAll(() => program.remove());

// Servers and a log of each test's own: what a killed process leaves, and what a failed test does, is nobody else's.
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-kms-'));
  stack = await startTestStack(inject('postgresAdminUrl'));
  environment = await stack.environment();
  sql = new pg.Pool({ connectionString: environment.migrationDatabaseUrl, max: 2 });
  sql.on('error', () => undefined); // Postgres ends idle connections when it drops the database.
});
afterEach(async () => {
  await program.killAll();
  await sql.end();
  await stack.close();
  await rm(folder, { recursive: true });
});

const start = () => program.start(environment, join(folder, 'root.key'));
const DAY_MS = 86_400_000;
/** Longest wait for what should happen; reached only when it does not. */
const PATIENCE = { timeout: 60_000, interval: 2 };

/** Users of one key and accounts that come to EBS for the first time, who ask until they are told to stop. */
class Load {
  /** Requests for data keys that were answered. */
  readonly answered: string[] = [];
  readonly accounts = new Set<string>();
  private stopped = false;
  private readonly working: Promise<unknown>;

  constructor(
    private readonly me: Caller,
    private readonly KeyId: string,
  ) {
    const users = Array.from({ length: 6 }, () => this.useKey());
    this.working = Promise.all([...users, ...Array.from({ length: 3 }, () => this.comeNew())]);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.working;
  }

  /** Whoever was killed with a request does not answer it; the next one goes to another, and waits longer on a slow machine. */
  private async asking(ask: (fields: { requestId: string; deadlineMs: number }) => Promise<boolean>): Promise<void> {
    let patienceMs = 2000;
    while (!this.stopped) {
      const isAnswered = await ask({ requestId: randomUUID(), deadlineMs: Date.now() + patienceMs });
      patienceMs = isAnswered ? 2000 : Math.min(2 * patienceMs, 30_000);
    }
  }

  private useKey(): Promise<void> {
    const input = { KeyId: this.KeyId, NumberOfBytes: 64 };
    return this.asking(async (fields) => {
      const isAnswered = await isFulfilled(this.me.raw('GenerateDataKeyWithoutPlaintext', input, fields));
      if (isAnswered) this.answered.push(fields.requestId);
      return isAnswered;
    });
  }

  private comeNew(): Promise<void> {
    return this.asking(async ({ deadlineMs }) => {
      const account = String(randomInt(10 ** 11, 10 ** 12 - 1));
      this.accounts.add(account);
      const caller = new Caller(stack.bus, account);
      const describeEbs = () =>
        isFulfilled(caller.raw('DescribeKey', { KeyId: 'alias/aws/ebs' }, { requestId: randomUUID(), deadlineMs }));
      return (await Promise.all([describeEbs(), describeEbs(), describeEbs()])).every(Boolean);
    });
  }
}

const isFulfilled = (work: Promise<unknown>): Promise<boolean> => work.then(() => true, () => false); // prettier-ignore

describe('two replicas that are killed in turn, under load', () => {
  it('answer nothing that is not in the log, and leave no account with two EBS keys or half of one', async () => {
    let replicas: [ChildProcess, ChildProcess] = [await start(), await start()];
    const me = new Caller(stack.bus, ACCOUNT);
    const load = new Load(me, (await me.newKey()).id);
    const { answered, accounts } = load;
    try {
      for (let round = 0; round < 3; round++) {
        const enough = { answered: answered.length + randomInt(8, 24), accounts: accounts.size + 2 };
        await vi.waitUntil(() => answered.length >= enough.answered && accounts.size >= enough.accounts, PATIENCE);
        const [oldest, other] = replicas;
        await program.kill(oldest);
        replicas = [other, await start()];
      }
    } finally {
      await load.stop();
    }
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
  }, 240_000);
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
      await expect.poll(left, PATIENCE).toBeLessThanOrEqual(Math.max(0, before - 5));
      await program.kill(child);
      child = await start();
    }
    await turnClocks(stack.bus.connection, ['kms'], 8 * DAY_MS);
    await expect.poll(left, PATIENCE).toBe(0);
    const { id: TargetKeyId } = await me.newKey();
    for (const AliasName of names.slice(0, 10)) await me.call('CreateAlias', { AliasName, TargetKeyId });
  }, 240_000);
});

describe('a process that is killed between making material and creating its key', () => {
  it('leaves nothing behind: the material is swept, and that of keys stays', async () => {
    const gate = new pg.Client({ connectionString: environment.migrationDatabaseUrl });
    gate.on('error', () => undefined); // The same as for the pool, if this test fails.
    await gate.connect();
    try {
      const child = await start();
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
      await gate.query('SELECT pg_advisory_lock(4711)');
      void me.raw('CreateKey', {}).catch(() => undefined); // Nobody will be left to answer it.
      await expect.poll(async () => (await orphans()).length, PATIENCE).toBe(1);
      await program.kill(child);
      await gate.query('SELECT pg_advisory_unlock(4711)');
      await sql.query('DROP TRIGGER wait_here ON events; DROP FUNCTION wait_here');
      expect(await orphans()).toHaveLength(1); // A key could still come to name it, as far as anybody knows.
      await sql.query(`UPDATE key_material SET created_at = created_at - interval '2 hours'`);
      await start();
      await expect.poll(orphans, PATIENCE).toEqual([]);
      await me.call('Encrypt', { KeyId: kept, Plaintext: Buffer.from('x') });
    } finally {
      await gate.end();
    }
  }, 240_000);
});
