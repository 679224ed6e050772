import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { generateRecipient } from '@holdfast/sealing';
import { testContext } from '@holdfast/messaging/testing';
import { startTestStack, type TestStack } from '@holdfast/service-kit/testing';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { start } from './service.ts';
import { document, RunningIdentity } from './testing/running-identity.ts';

/** The ways in which a text ends up in a table: as it is, as hexadecimal and base64 of it, and as bytes. */
const spellings = (secret: string): string[] => {
  const bytes = Buffer.from(secret, 'utf8');
  return [secret, bytes.toString('hex'), bytes.toString('base64').replaceAll('=', ''), `\\x${bytes.toString('hex')}`];
};

const everyRow = async (databaseUrl: string): Promise<Map<string, string>> => {
  const client = new pg.Client({ connectionString: databaseUrl });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows: tables } = await client.query<{ tablename: string }>(
      'SELECT tablename FROM pg_tables WHERE schemaname = current_schema()',
    );
    const content = new Map<string, string>();
    for (const { tablename } of tables) {
      const { rows } = await client.query<{ row: string }>(`SELECT t::text AS row FROM ${tablename} t`);
      content.set(tablename, rows.map(({ row }) => row).join('\n'));
    }
    return content;
  } finally {
    await client.end();
  }
};

describe('secrets', () => {
  let stack: TestStack;
  let ownerUrl: string;
  beforeAll(async () => {
    stack = await startTestStack(inject('postgresAdminUrl'));
  });
  afterAll(() => stack.close());

  it('are in no table in any spelling, and gone with their key', async () => {
    const environment = await stack.environment({ secretsKey: randomBytes(32).toString('base64') });
    ownerUrl = environment.migrationDatabaseUrl ?? '';
    const service = await start(environment);
    const recipient = await generateRecipient();
    const seen: string[] = [];
    const ask = async (action: string, input: object, path: 'AccessKey' | 'Credentials') => {
      const context = testContext(60_000, { recipientPublicKey: recipient.publicKeyBase64 });
      const answer = await stack.bus.request<Record<string, Record<string, string>>>(
        'identity',
        action,
        input,
        context,
      );
      const credentials = answer[path] ?? {};
      for (const member of ['SecretAccessKey', 'SessionToken']) {
        const sealed = credentials[member];
        if (sealed === undefined) continue;
        seen.push((await recipient.open(sealed, `identity.${action}.${context.requestId}`)).toString('utf8'));
      }
      return credentials['AccessKeyId'] ?? '';
    };
    const call = (action: string, input: object) => stack.bus.request('identity', action, input, testContext());
    await call('CreateUser', { UserName: 'bob' });
    const AccessKeyId = await ask('CreateAccessKey', { UserName: 'bob' }, 'AccessKey');
    await ask('GetSessionToken', {}, 'Credentials');
    const Policy = document({ Effect: 'Allow', Action: '*', Resource: '*' });
    await ask('GetFederationToken', { Name: 'guest', Policy }, 'Credentials');
    await sleep(1500); // The relay's own tables are part of it.
    const content = await everyRow(ownerUrl);
    expect(seen).toHaveLength(5);
    expect(content.get('access_key_secrets')).toContain(AccessKeyId);
    for (const [table, rows] of content) {
      for (const spelling of seen.flatMap(spellings)) expect(rows.includes(spelling), table).toBe(false);
    }
    // The search does find what is there.
    expect([...content.values()].some((rows) => spellings(AccessKeyId).some((text) => rows.includes(text)))).toBe(true);
    await call('DeleteAccessKey', { UserName: 'bob', AccessKeyId });
    expect((await everyRow(ownerUrl)).get('access_key_secrets')).toBe('');
    await service.close();
  });

  it('need the key that they are under at every start', async () => {
    const [key, other] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')];
    const environment = await stack.environment({ secretsKey: key });
    const first = await start(environment);
    const recipientPublicKey = (await generateRecipient()).publicKeyBase64;
    await stack.bus.request('identity', 'CreateUser', { UserName: 'bob' }, testContext());
    await stack.bus.request(
      'identity',
      'CreateAccessKey',
      { UserName: 'bob' },
      testContext(60_000, { recipientPublicKey }),
    );
    await first.close();
    await expect(start({ ...environment, settings: { secretsKey: other } })).rejects.toThrow('lacks root key');
    const again = await start({ ...environment, settings: { secretsKey: `${other},${key}` } });
    await again.close();
    await expect(start({ ...environment, settings: {} })).rejects.toThrow('HOLDFAST_IDENTITY_SECRETS_KEY_FILE');
  });
});

describe('two replicas', () => {
  it('decide on one history, and both see its end', async () => {
    const identity = await RunningIdentity.start(inject('postgresAdminUrl'));
    const second = await identity.replica();
    try {
      const made = await Promise.allSettled(
        Array.from({ length: 30 }, (_, i) => identity.call('CreateUser', { UserName: `user-${String(i % 15)}` })),
      );
      const conflicts = made.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[];
      for (const { reason } of conflicts) expect(reason).toMatchObject({ code: 'EntityAlreadyExists' });
      expect(conflicts).toHaveLength(15);
      const { Users } = await identity.call<{ Users: unknown[] }>('ListUsers');
      expect(Users).toHaveLength(15);
    } finally {
      await second.close();
      await identity.close();
    }
  });
});
