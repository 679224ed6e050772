import { hkdfSync, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase } from '@holdfast/embedded/testing';
import { eventStoreMigrations, openDatabase } from '@holdfast/event-store/postgres';
import { silentLogger } from '@holdfast/messaging';
import {
  beginRotation,
  FileProvider,
  retireVersion,
  Rewrapper,
  type RootKeyStatus,
  rootKeyStatus,
} from '@holdfast/root-keys';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { StoredAccessKeySecrets } from './adapters/outbound/credentials.ts';
import { SecretBox } from './adapters/outbound/secret-box.ts';
import { openIdentityKeys, secretsKeysOf } from './adapters/outbound/secrets-keys.ts';
import { migrations } from './migrations.ts';
import { RunningIdentity } from './testing/running-identity.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-identity-root-'));
});
afterAll(() => rm(folder, { recursive: true }));

it('access keys, sessions and markers outlive a rotation and the version before it, in every replica', async () => {
  const identity = await RunningIdentity.start(inject('postgresAdminUrl'), { secretsKeyFile: join(folder, 'one.key') });
  const second = await identity.replica();
  try {
    await identity.call('CreateUser', { UserName: 'ada' });
    await identity.call('CreateUser', { UserName: 'bob' });
    const long = (await identity.credentials('CreateAccessKey', { UserName: 'ada' })).credentials;
    const session = (await identity.credentials('GetSessionToken', {})).credentials;
    const { Marker } = await identity.call<{ Marker: string }>('ListUsers', { MaxItems: 1 });
    const signingKeys = async () => {
      const found = [await identity.resolve(long.AccessKeyId), await identity.resolve(session.AccessKeyId)];
      return found.map((one) => one?.signingKey.toString('hex'));
    };
    const before = await signingKeys();
    expect(before).not.toContain(undefined);
    const status = () => identity.call<RootKeyStatus>('GetRootKeyStatus');
    const { currentVersion: old } = await status();
    const { versionId } = await identity.call<{ versionId: string }>('RotateRootKey');
    await expect.poll(async () => (await status()).blobsUnderOthers).toBe(0);
    expect((await status()).versions[0]).toMatchObject({
      ...{ versionId, state: 'current', blobs: { access_key_secrets: 1, service_secrets: 1 } },
    });
    expect(await identity.call('RetireRootKey', { versionId: old })).toEqual({ versionId: old, leftToDo: null });
    // Whichever of the two answers.
    for (let i = 0; i < 8; i++) expect(await signingKeys()).toEqual(before);
    const { Users } = await identity.call<{ Users: { UserName: string }[] }>('ListUsers', { Marker });
    expect(Users.map(({ UserName }) => UserName)).toEqual(['bob']);
    for (let i = 0; i < 2; i++) await identity.credentials('CreateAccessKey', { UserName: 'bob' });
    expect((await status()).blobsUnderOthers).toBe(0);
  } finally {
    await second.close();
    await identity.close();
  }
});

it('what was encrypted before root keys had versions is read, and wrapped anew; sessions of then hold their key', async () => {
  const file = join(folder, 'first.key');
  const key = randomBytes(32);
  await writeFile(file, `${key.toString('base64')}\n`, { mode: 0o600 });
  const earlier = secretsKeysOf([key]);
  const test = await createTestDatabase(inject('postgresAdminUrl'));
  const database = await openDatabase({
    ...{ url: test.serviceUrl, migrationUrl: test.ownerUrl, applicationName: 'identity' },
    migrations: [...eventStoreMigrations, ...migrations],
  });
  await database.query('INSERT INTO access_key_secrets VALUES ($1, $2, $3)', [
    ...['AKIA1', earlier.current.keyId, new SecretBox(earlier, 'access-key').seal(Buffer.from('kept'), 'AKIA1')],
  ]);
  await database.query(
    `INSERT INTO sessions (access_key_id, account_id, principal, secrets_key_id, transitive_tag_keys, expires_at)
     VALUES ('ASIA1', '111122223333', '{}', $1, '[]', now() + interval '1 hour')`,
    [earlier.current.keyId],
  );
  const keys = await openIdentityKeys(new FileProvider(file, 'identity'), database);
  const secrets = new StoredAccessKeySecrets(database, keys);
  const read = async () => {
    const [row] = await database.query<{ wrapped: Buffer }>('SELECT wrapped FROM access_key_secrets');
    return (await secrets.open('AKIA1', row!.wrapped)).toString();
  };
  expect(await read()).toBe('kept');
  const old = keys.rootKeys.currentVersion;
  expect((await rootKeyStatus(keys.rootKeys)).versions).toMatchObject([
    { versionId: old, blobs: { access_key_secrets: 1, sessions: 1, service_secrets: 1 } },
  ]);
  await beginRotation(keys.rootKeys, () => Promise.resolve([]));
  expect(await new Rewrapper(keys.rootKeys, silentLogger).pass()).toEqual({ wrapped: 2, failed: 0 });
  expect(await read()).toBe('kept');
  // What a session of then signs with follows from the key's own bytes.
  const wanted = Buffer.from(hkdfSync('sha256', key, '', 'holdfast/identity/session-secret/ASIA1', 30));
  expect(keys.secretsKeys.find(earlier.current.keyId)?.derive('session-secret/ASIA1', 30)).toEqual(wanted);
  await expect(retireVersion(keys.rootKeys, old)).rejects.toThrow('1 in sessions are under it');
  await database.query("UPDATE sessions SET expires_at = now() - interval '1 hour'");
  await retireVersion(keys.rootKeys, old);
  expect(keys.secretsKeys.find(earlier.current.keyId)).toBeUndefined();
  expect(await read()).toBe('kept');
  await keys.rootKeys.close();
  await database.close();
  await test.drop();
});
