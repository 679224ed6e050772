import { CreateSnapshotCommand } from '@aws-sdk/client-ec2';
import { EC2Client } from '@aws-sdk/client-ec2';
import { KMSClient } from '@aws-sdk/client-kms';
import { STSClient } from '@aws-sdk/client-sts';
import { type RunningNats, type RunningPostgres, startNats, startPostgres } from '@holdfast/embedded';
import { createTestDatabase } from '@holdfast/embedded/testing';
import { NbdClient } from '@holdfast/nbd/client';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestAccount } from './account.ts';
import { eventually } from './clients.ts';
import { freePort } from './stack.ts';

const ACCESS_KEY_ID = 'AKIAIOSFODNN7EXAMPLE';
const ACCOUNT = '111122223333';
const SECRET = randomBytes(30).toString('base64');
const DIST = fileURLToPath(new URL('../../../dist/', import.meta.url));
const WITH_DATABASE = ['kms', 'audit', 'account-settings', 'volumes', 'snapshots', 'instances', 'identity'];

let folder: string;
let postgres: RunningPostgres;
let nats: RunningNats;
let endpoint: string;
const services = new Map<string, { process: ChildProcess; output: string[] }>();

const environmentOf = async (app: string, port: number): Promise<Record<string, string>> => {
  const own: Record<string, Record<string, string>> = {
    kms: { HOLDFAST_KMS_ROOT_KEY: randomBytes(32).toString('base64') },
    'data-plane': { HOLDFAST_HOME: join(folder, 'host') },
    'api-gateway': { HOLDFAST_HOST: '127.0.0.1', HOLDFAST_PORT: String(port) },
    identity: {
      HOLDFAST_ROOT_ACCOUNT_ID: ACCOUNT,
      HOLDFAST_ROOT_ACCESS_KEY_ID: ACCESS_KEY_ID,
      HOLDFAST_ROOT_SECRET_ACCESS_KEY: SECRET,
      HOLDFAST_IDENTITY_SECRETS_KEY: randomBytes(32).toString('base64'),
    },
  };
  const common = { HOLDFAST_NATS_URL: nats.servers, HOLDFAST_NATS_USER: 'holdfast', HOLDFAST_NATS_PASSWORD: 'test' };
  if (!WITH_DATABASE.includes(app)) return { ...common, ...own[app] };
  const { serviceUrl, ownerUrl } = await createTestDatabase(postgres.url);
  return { ...common, HOLDFAST_DATABASE_URL: serviceUrl, HOLDFAST_MIGRATION_DATABASE_URL: ownerUrl, ...own[app] };
};

const startService = async (app: string, port: number) => {
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('HOLDFAST_')));
  const child = spawn(process.execPath, [join(DIST, app, 'main.js')], {
    env: { ...inherited, ...(await environmentOf(app, port)) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => output.push(chunk.toString()));
  services.set(app, { process: child, output });
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-alone-'));
  postgres = await startPostgres({ dataDir: join(folder, 'postgres'), password: 'test', durable: false });
  nats = await startNats({ storeDir: join(folder, 'nats'), user: 'holdfast', password: 'test' });
  const port = await freePort();
  endpoint = `http://127.0.0.1:${String(port)}`;
  for (const app of [...WITH_DATABASE, 'data-plane', 'api-gateway']) await startService(app, port);
  await eventually(
    () =>
      fetch(`${endpoint}/_holdfast/health`)
        .then((response) => response.status)
        .catch(() => 0),
    (status) => status === 200,
    240_000,
  ).catch((error: unknown) => {
    throw new Error([...services].map(([app, { output }]) => `${app}: ${output.join('')}`).join('\n'), {
      cause: error,
    });
  });
});
afterAll(async () => {
  for (const { process: child } of services.values()) {
    child.kill('SIGTERM');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
  await nats.stop();
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
});

describe('services started one by one, in production mode', () => {
  it('do the main job together', async () => {
    const credentials = { accessKeyId: ACCESS_KEY_ID, secretAccessKey: SECRET };
    const settings = { endpoint, region: 'eu-central-1', credentials };
    const clients = { ec2: new EC2Client(settings), kms: new KMSClient(settings), sts: new STSClient(settings) };
    const account = new TestAccount({ endpoint, home: join(folder, 'host') }, ACCOUNT, clients);
    const { VolumeId } = await account.volume({ Size: 1, Encrypted: true, KmsKeyId: await account.newKey() });
    const instance = await account.launch();
    const data = randomBytes(1 << 20);
    const client = await NbdClient.connect(await account.attach(VolumeId, instance, '/dev/sdf'));
    await client.write(0, data, { fua: true });
    await client.close();
    const { SnapshotId } = await account.ec2.send(new CreateSnapshotCommand({ VolumeId }));
    await account.snapshotSettled(SnapshotId ?? '');
    const restored = await account.volume({ SnapshotId });
    const copy = await NbdClient.connect(await account.attach(restored.VolumeId, instance, '/dev/sdg'));
    expect((await copy.read(0, data.length)).equals(data)).toBe(true);
    await copy.close();
  });

  it('know no development credentials and no development requests', async () => {
    const account = new TestAccount({ endpoint, home: folder }, '444455556666');
    await expect(account.newKey()).rejects.toMatchObject({ name: 'UnrecognizedClientException' });
    for (const path of ['reset', 'clock']) {
      expect((await fetch(`${endpoint}/_holdfast/${path}`, { method: 'POST' })).status).toBe(404);
    }
  });

  it('end with exit code 0 when they are told to', async () => {
    const identity = services.get('identity');
    identity?.process.kill('SIGTERM');
    const [code] = identity ? ((await once(identity.process, 'exit')) as [number | null]) : [null];
    expect(code).toBe(0);
  });
});
