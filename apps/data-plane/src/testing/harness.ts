import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  AwsError,
  type DataKeyUse,
  type HostAttachment,
  instancePrincipal,
  type InternalRequests,
  newInstanceId,
  newSnapshotId,
  newVolumeId,
  type RequestContext,
  type SnapshotId,
  type VolumeId,
} from '@holdfast/contracts';
import { type RunningNats, startNats } from '@holdfast/embedded';
import { type Bus, connectBus } from '@holdfast/messaging';
import { testContext } from '@holdfast/messaging/testing';
import { generateRecipient, seal } from '@holdfast/sealing';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../../../..', import.meta.url));

/** Bundles the service and its block host as the build does, into a folder from which they find what they need. */
export const buildDataPlane = async (): Promise<string> => {
  mkdirSync(join(root, '.cache'), { recursive: true });
  const outdir = mkdtempSync(join(root, '.cache', 'data-plane-'));
  await build({
    entryPoints: ['main', 'service', 'block-host'].map((name) => join(root, 'apps/data-plane/src', `${name}.ts`)),
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    tsconfig: join(root, 'tsconfig.base.json'),
    plugins: [
      {
        name: 'third-party-stays-outside',
        setup: (b) =>
          b.onResolve({ filter: /^[^./]/ }, ({ path }) =>
            path.startsWith('@holdfast/') ? undefined : { path, external: true },
          ),
      },
    ],
  });
  return outdir;
};

const wrapped = (keyId: string) => Buffer.from(`wrapped ${keyId}`).toString('base64');

/** Data keys by id, and whether they may be used: what a KMS does for the data plane. */
export class TestKms {
  readonly keys = new Map<string, Buffer>();
  readonly disabled = new Set<string>();
  readonly #transport = generateRecipient();
  readonly asked: { keyId: string; principal: string; context: Record<string, string> }[] = [];

  use(keyId: string, ebsId: string, dataKeyId = keyId): DataKeyUse {
    if (!this.keys.has(keyId)) this.keys.set(keyId, randomBytes(64));
    const context = testContext();
    const keyArn = `arn:aws:kms:${context.region}:${context.accountId}:key/${keyId}`;
    return {
      keyArn,
      dataKeyId,
      encryptedDataKey: wrapped(keyId),
      encryptionContext: { 'aws:ebs:id': ebsId },
      principal: instancePrincipal(context.accountId, 'i-00000000000000001'),
      accountId: context.accountId,
      region: context.region,
      requestId: randomBytes(8).toString('hex'),
    };
  }

  readonly decrypt = async (
    input: { CiphertextBlob: string; EncryptionContext: Record<string, string>; KeyId: string },
    context: RequestContext,
  ) => {
    const keyId = Buffer.from(input.CiphertextBlob, 'base64').toString().replace('wrapped ', '');
    this.asked.push({ keyId, principal: context.principal.arn, context: input.EncryptionContext });
    if (this.disabled.has(keyId))
      throw new AwsError({ code: 'DisabledException', message: `${input.KeyId} is disabled.` });
    const key = this.keys.get(keyId);
    if (key === undefined || context.recipientPublicKey === undefined)
      throw new AwsError({ code: 'NotFoundException' });
    return {
      KeyId: input.KeyId,
      Plaintext: await seal(context.recipientPublicKey, key, `kms.Decrypt.${context.requestId}`),
    };
  };

  readonly transportKey = async () => ({ publicKey: (await this.#transport).publicKeyBase64 });

  /** The data key goes on under another name, as if it were another ciphertext. */
  readonly encrypt = async (
    input: { KeyId: string; Plaintext: string; EncryptionContext: Record<string, string> },
    { requestId }: RequestContext,
  ) => {
    const keyId = `key of ${input.EncryptionContext['aws:ebs:id'] ?? ''}`;
    this.keys.set(keyId, await (await this.#transport).open(input.Plaintext, `kms.Encrypt.${requestId}`));
    return { KeyId: input.KeyId, CiphertextBlob: wrapped(keyId) };
  };
}

/** The data plane as a process of its own, on a real NATS server, with `kms` and `volumes` played by this test. */
export class TestHost {
  readonly home = mkdtempSync(join(tmpdir(), 'hf-dp-'));
  readonly kms = new TestKms();
  /** What `volumes` answers to a host that starts. */
  attachments: HostAttachment[] = [];
  log = '';
  #nats: RunningNats | undefined;
  #bus: Bus | undefined;
  #service: ChildProcess | undefined;

  constructor(
    private readonly bundle: string,
    private readonly settings: NodeJS.ProcessEnv = {},
  ) {}

  async start(): Promise<void> {
    const password = randomBytes(8).toString('hex');
    this.#nats = await startNats({ storeDir: `${this.home}-nats`, user: 'test', password });
    const nats = { servers: this.#nats.servers, user: 'test', password };
    this.#bus = await connectBus({ nats, name: 'test' });
    await this.#bus.serveRequests('kms', {
      Decrypt: this.kms.decrypt,
      Encrypt: this.kms.encrypt,
      GetTransportKey: this.kms.transportKey,
    });
    await this.#bus.serveRequests('volumes', {
      ListHostAttachments: () => Promise.resolve({ attachments: this.attachments }),
    });
    this.#environment = {
      PATH: process.env['PATH'],
      HOLDFAST_HOME: this.home,
      HOLDFAST_MODE: 'development',
      HOLDFAST_NATS_URL: nats.servers,
      HOLDFAST_NATS_USER: nats.user,
      HOLDFAST_NATS_PASSWORD: nats.password,
      ...this.settings,
    };
    await this.startService();
  }
  #environment: NodeJS.ProcessEnv = {};

  get bus(): Bus {
    if (this.#bus === undefined) throw new Error('not started');
    return this.#bus;
  }

  async startService(): Promise<void> {
    const service = spawn(process.execPath, [join(this.bundle, 'main.js')], { env: this.#environment });
    this.#service = service;
    for (const stream of [service.stdout, service.stderr]) stream.on('data', (data) => (this.log += String(data)));
    for (let tries = 0; tries < 2400; tries++) {
      const answer = await this.bus.request('data-plane', 'Ping', {}, testContext(5000)).catch(() => null);
      if (answer !== null) return;
      if (service.exitCode !== null) throw new Error(`the service ended: ${this.log}`);
      await sleep(50);
    }
    throw new Error(`the service does not answer: ${this.log}`);
  }

  async killService(signal: NodeJS.Signals): Promise<void> {
    const service = this.#service;
    if (service === undefined || service.exitCode !== null || service.signalCode !== null) return;
    const exited = new Promise((resolve) => service.once('exit', resolve));
    service.kill(signal);
    await exited;
  }

  async stop(): Promise<void> {
    await this.killService('SIGTERM');
    await this.#bus?.close();
    await this.#nats?.stop();
    rmSync(this.home, { recursive: true, force: true });
    rmSync(`${this.home}-nats`, { recursive: true, force: true });
  }

  async call<Action extends keyof InternalRequests['data-plane'] & string>(
    action: Action,
    input: InternalRequests['data-plane'][Action]['in'],
  ): Promise<InternalRequests['data-plane'][Action]['out']> {
    try {
      return await this.bus.request('data-plane', action, input, testContext(60_000));
    } catch (error) {
      // Whatever is no refusal has its reason in the log only.
      if (error instanceof Error && !(error instanceof AwsError)) error.message += `; log: ${this.log.slice(-3000)}`;
      throw error;
    }
  }

  async allocate(input: InternalRequests['data-plane']['AllocateVolume']['in']): Promise<void> {
    for (;;) {
      try {
        await this.call('AllocateVolume', input);
        return;
      } catch (error) {
        if (!(error instanceof AwsError && error.code === 'InProgress')) throw error;
        await sleep(50);
      }
    }
  }

  /** A new volume with an open export. */
  async attached(options: { sizeGiB?: number; key?: string; multiAttach?: boolean } = {}) {
    const volumeId = newVolumeId();
    const dataKey = options.key === undefined ? undefined : this.kms.use(options.key, volumeId);
    await this.allocate({ volumeId, sizeGiB: options.sizeGiB ?? 1, dataKey });
    return this.attach(volumeId, dataKey, '/dev/sdf', options.multiAttach);
  }

  async attach(volumeId: VolumeId, dataKey: DataKeyUse | undefined, device = '/dev/sdf', multiAttach?: boolean) {
    const attachment: HostAttachment = { volumeId, instanceId: newInstanceId(), device, dataKey, multiAttach };
    this.attachments.push(attachment);
    const { socketPath } = await this.call('OpenExport', attachment);
    return { ...attachment, socketPath };
  }

  async snapshot(volumeId: VolumeId): Promise<SnapshotId> {
    const snapshotId = newSnapshotId();
    await this.call('FreezeSnapshot', { snapshotId, volumeId });
    return snapshotId;
  }

  async settled(snapshotId: SnapshotId) {
    for (let tries = 0; tries < 4800; tries++) {
      const progress = await this.call('GetSnapshotProgress', { snapshotId });
      if (progress.state !== 'copying') return progress;
      await sleep(25);
    }
    throw new Error(`${snapshotId} is still being copied: ${this.log.slice(-2000)}`);
  }
}

export const until = async (
  what: string,
  done: () => boolean | Promise<boolean>,
  timeoutMs = 60_000,
): Promise<void> => {
  for (const deadline = Date.now() + timeoutMs; Date.now() < deadline; await sleep(25)) if (await done()) return;
  throw new Error(`waited in vain until ${what}`);
};

/** Path and content of every regular file; of a sparse one up to 64 MiB, where the tests write. */
export const filesUnder = (folder: string): (readonly [string, Buffer])[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const bytes = Buffer.alloc(Math.min(statSync(path).size, 67_108_864));
      const fd = openSync(path, 'r');
      readSync(fd, bytes);
      closeSync(fd);
      return [path, bytes] as const;
    });

export const removeBundle = (bundle: string): void => {
  if (existsSync(bundle)) rmSync(bundle, { recursive: true, force: true });
};
