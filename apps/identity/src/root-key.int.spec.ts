import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RootKeyStatus } from '@holdfast/root-keys';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
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
