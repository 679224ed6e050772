import { CopySnapshotCommand, CreateKeyPairCommand, CreateSnapshotCommand } from '@aws-sdk/client-ec2';
import { CreateKeyCommand, DecryptCommand, EncryptCommand, GenerateDataKeyCommand } from '@aws-sdk/client-kms';
import { NbdClient } from '@holdfast/nbd/client';
import { scanForPlaintext } from '@holdfast/plaintext-scan';
import type { RootKeyStatus } from '@holdfast/root-keys';
import { randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REGION, TestAccount } from './account.ts';
import { holdfast } from './command-line.ts';
import { type Stack, startStack } from './stack.ts';

let stack: Stack;
let account: TestAccount;
beforeAll(async () => {
  stack = await startStack({ HOLDFAST_LOG_LEVEL: 'trace' }, { home: 'empty' });
  account = new TestAccount(stack);
});
afterAll(() => stack.stop());

/** The ways in which bytes end up in files: raw, as text encodings, and as Node prints a buffer. */
const spellings = (secret: Buffer): Buffer[] => [
  secret,
  Buffer.from(secret.toString('hex')),
  Buffer.from(secret.toString('base64')),
  Buffer.from(secret.toString('base64url')),
  Buffer.from([...secret].join(',')),
  Buffer.from([...secret].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')),
];

/** Paths below the state folder that hold one of `secrets` in any spelling. */
const filesHolding = async (secrets: readonly Buffer[]): Promise<string[]> =>
  (await scanForPlaintext(stack.home, secrets.flatMap(spellings))).found.map((path) =>
    path.slice(stack.home.length + 1),
  );

interface WrappedKey {
  encryptedDataKey: string;
  encryptionContext: Record<string, string>;
}

const isWrappedKey = (value: object): value is WrappedKey =>
  'encryptedDataKey' in value && 'encryptionContext' in value;

/** Every wrapped data key anywhere in the events of a service. */
const wrappedKeys = async (service: string): Promise<WrappedKey[]> => {
  const { databases } = JSON.parse(await readFile(join(stack.home, 'stack.json'), 'utf8')) as {
    databases: Record<string, { serviceUrl: string }>;
  };
  const client = new pg.Client({ connectionString: databases[service]?.serviceUrl });
  client.on('error', () => undefined);
  await client.connect();
  const { rows } = await client.query<{ data: object }>('SELECT data FROM events');
  await client.end();
  const found: WrappedKey[] = [];
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    if (isWrappedKey(value)) found.push(value);
    Object.values(value).forEach(visit);
  };
  rows.forEach(({ data }) => visit(data));
  return found;
};

const unwrap = async ({ encryptedDataKey, encryptionContext }: WrappedKey): Promise<Buffer> => {
  const { Plaintext = new Uint8Array() } = await account.kms.send(
    new DecryptCommand({
      CiphertextBlob: Buffer.from(encryptedDataKey, 'base64'),
      EncryptionContext: encryptionContext,
    }),
  );
  return Buffer.from(Plaintext);
};

describe('what is secret', () => {
  it('is in no table, stream, log or file, at the most talkative log level', async () => {
    const [keyA, keyB, keyC] = [await account.newKey(), await account.newKey(), await account.newKey()];
    const instance = await account.launch();
    const volume = await account.volume({ Size: 1, Encrypted: true, KmsKeyId: keyA });
    const client = await NbdClient.connect(await account.attach(volume.VolumeId, instance, '/dev/sdf'));
    await client.write(0, randomBytes(1 << 20), { fua: true });
    const { SnapshotId = '' } = await account.ec2.send(new CreateSnapshotCommand({ VolumeId: volume.VolumeId }));
    await account.snapshotSettled(SnapshotId);
    const copy = new CopySnapshotCommand({ SourceSnapshotId: SnapshotId, SourceRegion: REGION, KmsKeyId: keyC });
    await account.snapshotSettled((await account.ec2.send(copy)).SnapshotId ?? '');
    const other = await account.volume({ SnapshotId, Encrypted: true, KmsKeyId: keyB });
    await account.attach(other.VolumeId, instance, '/dev/sdg');
    const plaintext = randomBytes(48);
    const encrypted = await account.kms.send(new EncryptCommand({ KeyId: keyA, Plaintext: plaintext }));
    const dataKey = await account.kms.send(new GenerateDataKeyCommand({ KeyId: keyA, NumberOfBytes: 64 }));
    await account.kms.send(new DecryptCommand({ CiphertextBlob: encrypted.CiphertextBlob }));

    const made = await account.ec2.send(new CreateKeyPairCommand({ KeyName: 'ada', KeyType: 'ed25519' }));
    const lines = (made.KeyMaterial ?? '').trimEnd().split('\n');
    expect(lines[0]).toBe('-----BEGIN OPENSSH PRIVATE KEY-----');
    // The 32 bytes from which all of it comes, and the line that has them: openssh, PROTOCOL.key.
    const seed = Buffer.from(lines.slice(1, -1).join(''), 'base64').subarray(161, 193);
    const privateKey = [seed, Buffer.from(lines.at(-3) ?? '')];

    const wrapped = [...(await wrappedKeys('volumes')), ...(await wrappedKeys('snapshots'))];
    const contexts = new Set(wrapped.map(({ encryptionContext }) => encryptionContext['aws:ebs:id']));
    expect(contexts.size).toBeGreaterThanOrEqual(3);
    const dataKeys = await Promise.all(wrapped.map(unwrap));
    expect(dataKeys.every((key) => key.length === 64)).toBe(true);
    const halves = dataKeys.flatMap((key) => [key.subarray(0, 32), key.subarray(32)]);
    expect(await filesHolding([...halves, ...privateKey, plaintext, Buffer.from(dataKey.Plaintext ?? [])])).toEqual([]);

    // The search does find what is there: wrapped keys are.
    const control = wrapped.slice(0, 1).map(({ encryptedDataKey }) => Buffer.from(encryptedDataKey, 'base64'));
    expect((await filesHolding(control)).length).toBeGreaterThan(0);
    await client.close();
  });

  it('keeps the root key in one file that only its owner reads', async () => {
    const path = join(stack.home, 'keys', 'root.key');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const content = await readFile(path);
    const text = content.toString('utf8').trim();
    const asBytes = [content, Buffer.from(text, 'base64'), Buffer.from(text, 'hex')].filter(
      ({ length }) => length >= 32,
    );
    expect(await filesHolding(asBytes)).toEqual(['keys/root.key']);
  });

  it('rotates the root keys while everything goes on, and forgets the ones before', async () => {
    const path = join(stack.home, 'keys', 'root.key');
    const keysIn = async () => (await readFile(path, 'utf8')).trim().split('\n');
    const [before = ''] = await keysIn();
    const message = Buffer.from('kept through a rotation');
    const { KeyId } = (await account.kms.send(new CreateKeyCommand({}))).KeyMetadata ?? {};
    const { CiphertextBlob } = await account.kms.send(new EncryptCommand({ KeyId, Plaintext: message }));
    const { code, stdout } = await holdfast(stack.home, 'root-key', 'rotate');
    expect(stdout).toMatch(/kms: all is under it[^]*identity: all is under it/);
    expect(code).toBe(0);
    const status = JSON.parse((await holdfast(stack.home, 'root-key', 'status', '--json')).stdout) as RootKeyStatus[];
    expect(status.map(({ service, blobsUnderOthers }) => [service, blobsUnderOthers])).toEqual([
      ['kms', 0],
      ['identity', 0],
    ]);
    for (const { service, versions } of status) {
      const { versionId = '' } = versions.find(({ state }) => state === 'former') ?? {};
      expect((await holdfast(stack.home, 'root-key', 'retire', service, versionId)).code).toBe(0);
    }
    const [current = '', ...others] = await keysIn();
    expect(others).toEqual([]);
    expect(current).not.toBe(before);
    const { Plaintext } = await account.kms.send(new DecryptCommand({ CiphertextBlob }));
    expect(Buffer.from(Plaintext ?? []).toString()).toBe('kept through a rotation');
    // The file holds the current one alone, so the one before is nowhere.
    expect(await filesHolding([before, current].map((key) => Buffer.from(key, 'base64')))).toEqual(['keys/root.key']);
  });
});
