import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Principal, PrincipalPolicies, PrincipalPoliciesAnswer } from '@holdfast/contracts';
import type { ServiceEnvironment } from '@holdfast/service-kit';
import { startTestStack, type TestStack } from '@holdfast/service-kit/testing';
import pg from 'pg';
import { afterAll, beforeAll, expect, inject } from 'vitest';
import { start } from '../service.ts';
import { Caller } from './caller.ts';

export const ACCOUNT = '111122223333';
export const OTHER = '444455556666';
export const EC2 = 'ec2.eu-central-1.amazonaws.com';

/** The service on real servers, for one suite. */
export class RunningKms {
  private constructor(
    readonly folder: string,
    readonly stack: TestStack,
    readonly environment: ServiceEnvironment,
    /** As the schema's owner. */
    readonly sql: pg.Pool,
    public service: Awaited<ReturnType<typeof start>>,
  ) {}

  static async start(): Promise<RunningKms> {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-kms-'));
    const stack = await startTestStack(inject('postgresAdminUrl'));
    const environment = await stack.environment({ rootKeyFile: join(folder, 'keys', 'root.key') });
    const sql = new pg.Pool({ connectionString: environment.migrationDatabaseUrl, max: 2 });
    sql.on('error', () => undefined); // Postgres ends idle connections when it drops the database.
    const running = new RunningKms(folder, stack, environment, sql, await start(environment));
    await stack.bus.serveRequests('identity', {
      GetPrincipalPolicies: (input: { principal: { arn: string } }) =>
        Promise.resolve(running.policiesOf(input.principal.arn)),
      ResolvePrincipals: ({ arns }: { arns: string[] }) =>
        Promise.resolve({ principalIds: Object.fromEntries(arns.map((arn) => [arn, running.idOf(arn)])) }),
    });
    return running;
  }

  /** What the stand-in for identity answers, by the principal's ARN; others have no policies, and null is gone. */
  readonly identities = new Map<string, PrincipalPolicies | null>();

  /** Whom the stand-in does not know; everybody else exists. */
  readonly absent = new Set<string>();

  /** Of users and roles; of everything else the account. */
  idOf(name: string): string | null {
    if (this.absent.has(name)) return null;
    const [kind] = /:(?:user|role)(?=\/)/.exec(name) ?? [];
    if (kind === undefined) return name.startsWith('arn:') ? (name.split(':')[4] ?? '') : name;
    const made = `${kind === ':user' ? 'AIDA' : 'AROA'}${name.replace(/\W/g, '').toUpperCase()}`;
    return this.identities.get(name)?.userId ?? made;
  }

  /** Gives a user policies, at once: each asker is new, since none is kept for a user that has not been asked about. */
  giveUser(arn: string, identityPolicies: readonly object[], rest: Partial<PrincipalPolicies> = {}): Principal {
    const document = (policy: object) => ({
      sourceId: 'p',
      sourceType: 'user' as const,
      document: JSON.stringify(policy),
    });
    const accountId = (arn.split(':')[4] ?? '') as Principal['accountId'];
    const { userId = `AIDA${arn.replace(/\W/g, '').toUpperCase()}` } = rest;
    this.identities.set(arn, { identityPolicies: identityPolicies.map(document), principalTags: {}, ...rest, userId });
    return { type: 'User', arn, accountId, principalId: userId, userName: arn.split('/').at(-1) ?? '' };
  }

  policiesOf(arn: string): PrincipalPoliciesAnswer {
    const known = this.identities.get(arn);
    if (known === null) return null;
    const policies = known ?? { identityPolicies: [], principalTags: {}, userId: 'AIDA' };
    return { version: randomUUID(), notModified: false, policies };
  }

  caller(account: string): Caller {
    return new Caller(this.stack.bus, account);
  }

  /** KeyUsed events of a key, in the order of the log. */
  async usesOf(keyId: string) {
    const { rows } = await this.sql.query(
      `SELECT data, metadata FROM events WHERE type = 'KeyUsed' AND data->>'keyId' = $1 ORDER BY global_position`,
      [keyId],
    );
    return rows as { data: Record<string, unknown>; metadata: { caller: Record<string, unknown> } }[];
  }

  async stop(): Promise<void> {
    await this.service.close();
    await this.sql.end();
    await this.stack.close();
    await rm(this.folder, { recursive: true });
  }
}

/** Starts the service before the suite's tests and stops it after them. */
export const runningKms = (): (() => RunningKms) => {
  let running: RunningKms;
  beforeAll(async () => {
    running = await RunningKms.start();
  });
  afterAll(() => running.stop());
  return () => running;
};

/** An AWS error, its text to the letter; without one when `message` is absent. */
export const refusal = (code: string, message = ''): unknown =>
  expect.objectContaining({ name: 'AwsError', code, message });
