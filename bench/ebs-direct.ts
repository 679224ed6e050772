// Blocks put and got through the endpoint of a composed stack, beside the same digests and copies in this process alone (in
// memory only, and into a block store and out of it), beside Node's bare HTTP server, and by the official SDK. The client shares the machine's cores with what it measures, so it
// signs and digests in advance, and does nothing with an answer but count it.
import { fork } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EBSClient, GetSnapshotBlockCommand, PutSnapshotBlockCommand } from '@aws-sdk/client-ebs';
import { BlockUpload, createUpload, FolderBlockStore, StoreLayout } from '@holdfast/block-store';
import { BlockBuffers } from '@holdfast/block-wire';
import { DATA_UNIT_BYTES, type SectorCipher, selectXtsEngine, XTS_KEY_BYTES } from '@holdfast/crypto/xts';
import { SignatureV4 } from '@smithy/signature-v4';
import { Sha256, startStack } from './api.ts';
import { median } from './median.ts';
import { treeSeconds } from './processor-time.ts';
import { RawConnection, rawRequest } from './raw-http.ts';
import type { Row } from './row.ts';

const BLOCK_BYTES = 524_288;
const BLOCKS = 256;
const CONNECTIONS = 16;
const ROUNDS = 5;
/** A server that has been up for a minute has compiled what it does often. */
const WARMING_ROUNDS = 4;
const FLOOR = 0.4;
const AIM = 0.7;

const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
const signer = new SignatureV4({
  service: 'ebs',
  region: 'eu-central-1',
  credentials: { accessKeyId: '111122223333', secretAccessKey: 'test' },
  sha256: Sha256,
});

interface Call {
  readonly method: string;
  readonly path: string;
  readonly query?: Record<string, string>;
  readonly headers?: Record<string, string>;
}

interface Signed {
  readonly options: { method: string; host: string; port: number; path: string; headers: Record<string, string> };
  readonly body: Buffer | undefined;
}

/** Without its payload, as boto3 signs a block: so that the client's hashing is not measured. */
const sign = async (endpoint: string, { method, path, query = {}, headers = {} }: Call, body?: Buffer): Promise<Signed> => {
  const { hostname: host, port: portText } = new URL(endpoint);
  const port = Number(portText);
  const payload: Record<string, string> =
    body?.length === BLOCK_BYTES ? { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } : {};
  const signed = await signer.sign({
    ...{ method, protocol: 'http:', hostname: host, port, path, query },
    headers: { host: `${host}:${portText}`, ...headers, ...payload },
    body,
  });
  const search = new URLSearchParams(query).toString();
  const length = { 'content-length': String(body?.length ?? 0) };
  return {
    options: { method, host, port, path: search === '' ? path : `${path}?${search}`, headers: { ...signed.headers, ...length } },
    body,
  };
}; // prettier-ignore

const send = ({ options, body }: Signed): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const sent = request({ ...options, agent }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const bytes = Buffer.concat(chunks);
        if ((response.statusCode ?? 500) >= 300) reject(new Error(bytes.toString()));
        else resolve(bytes);
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });

/** @returns MiB a second. */
const rate = (blocks: number, beganMs: number): number =>
  (blocks * BLOCK_BYTES) / 1_048.576 / (performance.now() - beganMs);

/** Has each worker make one call after the other until there are none. @returns MiB a second. */
const rateOf = async <Call_>(
  calls: readonly Call_[],
  workers: readonly ((call: Call_) => Promise<number>)[],
  isGet: boolean,
): Promise<number> => {
  const queue = [...calls];
  const began = performance.now();
  await Promise.all(
    workers.map(async (make) => {
      for (let call = queue.pop(); call !== undefined; call = queue.pop())
        if ((await make(call)) !== BLOCK_BYTES && isGet) throw new Error('an answer of another length');
    }),
  );
  return rate(calls.length, began);
};

/** Without what an HTTP library costs the client, which would be taken for the server's. */
const rawRate = async (endpoint: string, calls: readonly Signed[], isGet: boolean): Promise<number> => {
  const requests = calls.map(({ options, body }) => rawRequest(options, body));
  const connections = Array.from({ length: CONNECTIONS }, () => new RawConnection(endpoint));
  try {
    const workers = connections.map((connection) => (raw: (typeof requests)[number]) => connection.send(raw));
    return await rateOf(requests, workers, isGet);
  } finally {
    for (const connection of connections) connection.destroy();
  }
};

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('base64');

/** @returns MiB a second of the digest and the copy that each block needs; of an encrypted one, its cipher and second digest too. */
const bareRate = (blocks: readonly Buffer[], cipher: SectorCipher | null): number => {
  const copy = Buffer.alloc(BLOCK_BYTES);
  const began = performance.now();
  for (const block of blocks) {
    sha256(block);
    block.copy(copy);
    if (cipher === null) continue;
    cipher.encrypt(copy, 0, copy.length, 0);
    sha256(copy);
  }
  return rate(blocks.length, began);
};

/** A block store in this process, used as a host uses its own: as many blocks at once as there are connections. */
class BareStore {
  readonly #layout: StoreLayout;
  readonly #store: FolderBlockStore;
  readonly #buffers = new BlockBuffers(CONNECTIONS, { aligned: true });
  #digests: Buffer[] = [];
  #uploads = 0;

  constructor(folder: string) {
    this.#layout = new StoreLayout(folder);
    this.#store = new FolderBlockStore(this.#layout.blocks, { onLoop: true });
  }

  /** @returns MiB a second of blocks that are durable, and journalled as those of an upload are. */
  async putRate(blocks: readonly Buffer[], cipher: SectorCipher | null): Promise<number> {
    const snapshotId = `snap-${String(++this.#uploads).padStart(17, '0')}`;
    const header = { snapshotId, sizeGiB: 1, dataKey: null, parentSnapshotId: null };
    const paths = this.#layout.snapshot(snapshotId);
    createUpload(paths, { header, timeoutMinutes: 60 }, null);
    const upload = new BlockUpload(paths, header, this.#store);
    this.#digests = [];
    const putOne = (index: number) =>
      this.#with(async (buffer) => {
        blocks[index]?.copy(buffer);
        const checksum = digestOf(buffer);
        if (cipher !== null) cipher.encrypt(buffer, 0, buffer.length, 0);
        const digest = cipher === null ? checksum : digestOf(buffer);
        this.#digests.push(digest);
        await upload.put(index, buffer, digest, checksum);
      });
    const taken = await rateOf([...blocks.keys()], sixteen(putOne), false);
    await upload.close();
    return taken;
  }

  /** Of the blocks that were put last. @returns MiB a second. */
  getRate(cipher: SectorCipher | null): Promise<number> {
    const getOne = (digest: Buffer) =>
      this.#with(async (buffer) => {
        await this.#store.getInto(digest, buffer);
        if (cipher === null) return;
        cipher.decrypt(buffer, 0, buffer.length, 0);
        digestOf(buffer);
      });
    return rateOf(this.#digests, sixteen(getOne), true);
  }

  async #with(use: (buffer: Buffer<ArrayBuffer>) => Promise<void>): Promise<number> {
    const buffer = this.#buffers.take();
    await use(buffer);
    this.#buffers.giveBack(buffer);
    return buffer.length;
  }
}

const digestOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest();
const sixteen = <Worker>(worker: Worker): Worker[] => Array.from({ length: CONNECTIONS }, () => worker);

type Direction = 'put' | 'get';
interface Taken {
  readonly rate: number;
  /** Of digests and copies in this process, in memory. */
  readonly bare: number;
  /** Of those into or out of a block store. */
  readonly stored: number;
  /** Of Node's bare HTTP server. */
  readonly http: number;
  /** Processor time of the whole stack for a block, in milliseconds; null where /proc does not tell. */
  readonly cpuMs: number | null;
}

interface Subject {
  readonly endpoint: string;
  readonly pid: number;
  /** Of the bare HTTP server. */
  readonly bareEndpoint: string;
  readonly store: BareStore;
}

const measured = async (
  { endpoint, pid, bareEndpoint, store }: Subject,
  { calls, blocks, cipher }: { calls: readonly Signed[]; blocks: readonly Buffer[]; cipher: SectorCipher | null },
): Promise<Taken> => {
  const isGet = calls[0]?.body === undefined;
  const before = treeSeconds(pid);
  const ours = await rawRate(endpoint, calls, isGet);
  const after = treeSeconds(pid);
  const bare = bareRate(blocks, cipher);
  const stored = isGet ? await store.getRate(cipher) : await store.putRate(blocks, cipher);
  const http = await rawRate(bareEndpoint, calls, isGet);
  const cpuMs = before === null || after === null ? null : ((after - before) * 1000) / calls.length;
  return { rate: ours, bare, stored, http, cpuMs };
};

interface Uploaded {
  readonly snapshotId: string;
  readonly tokens: readonly { BlockIndex: number; BlockToken: string }[];
}

/** Puts blocks by whatever `put` does, and completes the snapshot. */
const upload = async (endpoint: string, encrypted: boolean, count: number, put: (snapshotId: string) => Promise<void>): Promise<Uploaded> => {
  const call = async (call_: Call, input?: object) =>
    JSON.parse((await send(await sign(endpoint, call_, input && Buffer.from(JSON.stringify(input))))).toString()) as never;
  const started: { SnapshotId: string } = await call({ method: 'POST', path: '/snapshots' }, { VolumeSize: 1, Encrypted: encrypted });
  const snapshotId = started.SnapshotId;
  await put(snapshotId);
  await call({ method: 'POST', path: `/snapshots/completion/${snapshotId}`, headers: { 'x-amz-changedblockscount': String(count) } });
  type Listed = { Blocks: Uploaded['tokens'] };
  for (;;) {
    const listed = await (call({ method: 'GET', path: `/snapshots/${snapshotId}/blocks` }) as Promise<Listed>).catch(() => null);
    if (listed !== null) return { snapshotId, tokens: listed.Blocks };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}; // prettier-ignore

const round = async (subject: Subject, cipher: SectorCipher | null): Promise<Record<Direction, Taken>> => {
  const { endpoint } = subject;
  const blocks = Array.from({ length: BLOCKS }, () => randomBytes(BLOCK_BYTES));
  const takenOf: { put?: Taken } = {};
  const { snapshotId, tokens } = await upload(endpoint, cipher !== null, BLOCKS, async (id) => {
    const puts = await Promise.all(
      blocks.map((block, index) => {
        const checksum = { 'x-amz-checksum': sha256(block), 'x-amz-checksum-algorithm': 'SHA256' };
        const headers = { 'x-amz-data-length': String(BLOCK_BYTES), ...checksum };
        return sign(endpoint, { method: 'PUT', path: `/snapshots/${id}/blocks/${String(index)}`, headers }, block);
      }),
    );
    takenOf.put = await measured(subject, { calls: puts, blocks, cipher });
  });
  const gets = await Promise.all(
    tokens.map(({ BlockIndex, BlockToken: blockToken }) => {
      const path = `/snapshots/${snapshotId}/blocks/${String(BlockIndex)}`;
      return sign(endpoint, { method: 'GET', path, query: { blockToken } });
    }),
  );
  if (takenOf.put === undefined) throw new Error('no block was put');
  return { put: takenOf.put, get: await measured(subject, { calls: gets, blocks, cipher }) };
};

/** MiB a second by the official SDK, whose own work for each block is in it. */
const sdkRound = async (endpoint: string): Promise<Record<Direction, number>> => {
  const credentials = { accessKeyId: '111122223333', secretAccessKey: 'test' };
  const client = new EBSClient({ endpoint, region: 'eu-central-1', credentials });
  const blocks = Array.from({ length: BLOCKS }, () => randomBytes(BLOCK_BYTES));
  let put = 0;
  const { snapshotId: SnapshotId, tokens } = await upload(endpoint, false, BLOCKS, async (id) => {
    const putOne = async (BlockIndex: number) => {
      const BlockData = blocks[BlockIndex] ?? Buffer.alloc(0);
      const checksum = { Checksum: sha256(BlockData), ChecksumAlgorithm: 'SHA256' } as const;
      const block = { SnapshotId: id, BlockIndex, BlockData, DataLength: BLOCK_BYTES };
      await client.send(new PutSnapshotBlockCommand({ ...block, ...checksum }));
      return 0;
    };
    put = await rateOf(
      [...blocks.keys()],
      Array.from({ length: CONNECTIONS }, () => putOne),
      false,
    );
  });
  const getOne = async (token: (typeof tokens)[number]) => {
    const { BlockData } = await client.send(new GetSnapshotBlockCommand({ SnapshotId, ...token }));
    return (await BlockData?.transformToByteArray())?.length ?? 0;
  };
  const get = await rateOf(
    tokens,
    Array.from({ length: CONNECTIONS }, () => getOne),
    true,
  );
  client.destroy();
  return { put, get };
};

const rowsOf = (kind: string, direction: Direction, rounds: readonly Taken[]): Row[] => {
  const figure = `EBS direct ${direction}, ${kind}, ${String(CONNECTIONS)} connections`;
  const cpu = rounds.flatMap(({ cpuMs }) => (cpuMs === null ? [] : [cpuMs]));
  const cost = cpu.length === 0 ? '' : ` (${median(cpu).toFixed(2)} ms CPU a block)`;
  const value = `${median(rounds.map(({ rate }) => rate)).toFixed(0)} MiB/s${cost}`;
  const work = kind === 'encrypted' ? 'the same digests, cipher and copy' : 'the same digest and copy';
  return [
    {
      ...{ figure, value, target: FLOOR, aim: AIM },
      yardstick: `${median(rounds.map(({ bare }) => bare)).toFixed(0)} MiB/s ${work}, bare in one process`,
      ratio: median(rounds.map(({ rate, bare }) => rate / bare)),
    },
    {
      ...{ figure, value, target: FLOOR, aim: AIM },
      yardstick: `${median(rounds.map(({ stored }) => stored)).toFixed(0)} MiB/s ${work} ${direction === 'put' ? 'into' : 'out of'} a block store, bare in one process`,
      ratio: median(rounds.map(({ rate, stored }) => rate / stored)),
    },
    {
      ...{ figure, value },
      yardstick: `${median(rounds.map(({ http }) => http)).toFixed(0)} MiB/s bare node:http that digests and forgets`,
      ratio: median(rounds.map(({ rate, http }) => rate / http)),
    },
  ];
};

const startBareServer = async () => {
  // Bundled beside the program that runs.
  const child = fork(fileURLToPath(new URL('bare-block-server.js', import.meta.url)));
  const [port] = (await once(child, 'message')) as [number];
  return { bareEndpoint: `http://127.0.0.1:${String(port)}`, stopBare: () => child.disconnect() };
};

export const ebsDirectRows = async (): Promise<Row[]> => {
  const { endpoint, stop, pid } = await startStack();
  const { bareEndpoint, stopBare } = await startBareServer();
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-store-'));
  try {
    const rows: Row[] = [];
    const subject = { endpoint, pid, bareEndpoint, store: new BareStore(folder) };
    const cipher = selectXtsEngine().engine.createCipher(randomBytes(XTS_KEY_BYTES), DATA_UNIT_BYTES);
    for (let at = 0; at < WARMING_ROUNDS; at++) await round(subject, at % 2 === 0 ? cipher : null);
    for (const kind of ['unencrypted', 'encrypted']) {
      const rounds = [];
      for (let at = 0; at < ROUNDS; at++) rounds.push(await round(subject, kind === 'encrypted' ? cipher : null));
      for (const direction of ['put', 'get'] as const)
        rows.push(...rowsOf(kind, direction, rounds.map((taken) => taken[direction])));
      if (kind === 'encrypted') continue;
      const bySdk = await sdkRound(endpoint);
      for (const direction of ['put', 'get'] as const) {
        const signed = median(rounds.map((taken) => taken[direction].rate));
        const figure = `EBS direct ${direction}, ${kind}, by the official SDK`;
        const yardstick = `${signed.toFixed(0)} MiB/s signed in advance, without the SDK`;
        rows.push({ figure, value: `${bySdk[direction].toFixed(0)} MiB/s`, yardstick, ratio: bySdk[direction] / signed });
      }
    }
    return rows;
  } finally {
    agent.destroy();
    stopBare();
    await stop();
    await rm(folder, { recursive: true, force: true });
  }
}; // prettier-ignore
