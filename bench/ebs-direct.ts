// Blocks put and got through the endpoint of a composed stack, beside the same digests and copies in this process alone.
import { createHash, randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import { SignatureV4 } from '@smithy/signature-v4';
import { Sha256, startStack } from './api.ts';
import { median } from './median.ts';
import type { Row } from './row.ts';

const BLOCK_BYTES = 524_288;
const BLOCKS = 256;
const CONNECTIONS = 16;
const ROUNDS = 3;
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
        if ((response.statusCode ?? 500) < 300) resolve(bytes);
        else reject(new Error(bytes.toString()));
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });

/** @returns MiB a second. */
const rateOf = async (calls: readonly Signed[], check: (bytes: Buffer) => void): Promise<number> => {
  const queue = [...calls];
  const worker = async () => {
    for (let call = queue.pop(); call !== undefined; call = queue.pop()) check(await send(call));
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
  return (calls.length * BLOCK_BYTES) / 1_048.576 / (performance.now() - began);
};

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('base64');

/** @returns MiB a second of one digest and one copy of each block. */
const bareRate = (blocks: readonly Buffer[]): number => {
  const copy = Buffer.alloc(BLOCK_BYTES);
  const began = performance.now();
  for (const block of blocks) {
    sha256(block);
    block.copy(copy);
  }
  return (blocks.length * BLOCK_BYTES) / 1_048.576 / (performance.now() - began);
};

const round = async (endpoint: string, encrypted: boolean) => {
  const blocks = Array.from({ length: BLOCKS }, () => randomBytes(BLOCK_BYTES));
  const call = async (call_: Call, input?: object) =>
    JSON.parse((await send(await sign(endpoint, call_, input && Buffer.from(JSON.stringify(input))))).toString()) as never;
  const { SnapshotId } = await call({ method: 'POST', path: '/snapshots' }, { VolumeSize: 1, Encrypted: encrypted }) as { SnapshotId: string };
  const path = `/snapshots/${SnapshotId}/blocks`;
  const puts = await Promise.all(
    blocks.map((block, index) => {
      const checksum = { 'x-amz-checksum': sha256(block), 'x-amz-checksum-algorithm': 'SHA256' };
      const headers = { 'x-amz-data-length': String(BLOCK_BYTES), ...checksum };
      return sign(endpoint, { method: 'PUT', path: `${path}/${String(index)}`, headers }, block);
    }),
  );
  const put = await rateOf(puts, () => undefined);
  await call({ method: 'POST', path: `/snapshots/completion/${SnapshotId}`, headers: { 'x-amz-changedblockscount': String(BLOCKS) } });
  type Listed = { Blocks: { BlockIndex: number; BlockToken: string }[] };
  let listed: Listed | undefined;
  while (listed === undefined) {
    listed = await (call({ method: 'GET', path }) as Promise<Listed>).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const gets = await Promise.all(
    listed.Blocks.map(({ BlockIndex, BlockToken: blockToken }) =>
      sign(endpoint, { method: 'GET', path: `${path}/${String(BlockIndex)}`, query: { blockToken } }),
    ),
  );
  const get = await rateOf(gets, (bytes) => {
    if (bytes.length !== BLOCK_BYTES) throw new Error(`a block of ${String(bytes.length)} bytes`);
  });
  return { put, get, bare: bareRate(blocks) };
}; // prettier-ignore

export const ebsDirectRows = async (): Promise<Row[]> => {
  const { endpoint, stop } = await startStack();
  try {
    const rows: Row[] = [];
    for (const encrypted of [false, true]) {
      const rounds = [];
      for (let at = 0; at < ROUNDS; at++) rounds.push(await round(endpoint, encrypted));
      for (const direction of ['put', 'get'] as const) {
        rows.push({
          figure: `EBS direct ${direction}, ${encrypted ? 'encrypted' : 'unencrypted'}, 16 connections`,
          value: `${median(rounds.map((taken) => taken[direction])).toFixed(0)} MiB/s`,
          yardstick: `${median(rounds.map(({ bare }) => bare)).toFixed(0)} MiB/s digest and copy in one process`,
          ratio: median(rounds.map((taken) => taken[direction] / taken.bare)),
          target: FLOOR,
          aim: AIM,
        });
      }
    }
    return rows;
  } finally {
    agent.destroy();
    await stop();
  }
};
