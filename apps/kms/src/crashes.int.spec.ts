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
