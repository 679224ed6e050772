// Requests per second through the endpoint of a composed stack, beside a bare node:http server that answers the same bytes
// to the same client without looking at the request.
import { spawn } from 'node:child_process';
import { createHash, createHmac, type BinaryLike } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SignatureV4 } from '@smithy/signature-v4';
import autocannon from 'autocannon';
import { median } from './median.ts';

export interface ApiBench {
  readonly operation: string;
  /** Medians over the rounds. */
  readonly requestsPerSecond: number;
  readonly barePerSecond: number;
  /** Median of the rounds' own ratios. */
  readonly ratio: number;
  /** Latency of Holdfast's answers in milliseconds, median of the rounds. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const ACCOUNT = '111122223333';
const REGION = 'eu-central-1';
const CONNECTIONS = 16;
const ROUNDS = 5;
const ROUND_SECONDS = 2;
const DESCRIBED_VOLUMES = 1000;

export class Sha256 {
  private readonly hash;
  constructor(secret?: unknown) {
    this.hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret as BinaryLike);
  }
  update(data: Uint8Array | string) {
    this.hash.update(data);
  }
  digest() {
    return Promise.resolve(new Uint8Array(this.hash.digest()));
  }
}

export interface Call {
  service: 'ec2' | 'kms';
  headers: Record<string, string>;
  body: string;
}

const ec2Call = (parameters: Record<string, string>): Call => ({
  service: 'ec2',
  headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
  body: new URLSearchParams({ ...parameters, Version: '2016-11-15' }).toString(),
});

export const kmsCall = (operation: string, input: object): Call => ({
  service: 'kms',
  headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `TrentService.${operation}` },
  body: JSON.stringify(input),
});

/** A signature is good for fifteen minutes, so one serves a whole round and the client's cost of signing is not measured. */
export const signed = async (endpoint: string, call: Call): Promise<Record<string, string>> => {
  const { hostname, port, host } = new URL(endpoint);
  const credentials = { accessKeyId: ACCOUNT, secretAccessKey: 'test' };
  const signer = new SignatureV4({ service: call.service, region: REGION, credentials, sha256: Sha256 });
  const { headers } = await signer.sign({
    ...{ method: 'POST', protocol: 'http:', hostname, port: Number(port), path: '/', query: {} },
    headers: { host, ...call.headers },
    body: call.body,
  });
  return headers;
};

export const post = async (endpoint: string, call: Call): Promise<{ text: string; headers: Headers }> => {
  const { host: _host, ...headers } = await signed(endpoint, call);
  const response = await fetch(endpoint, { method: 'POST', headers, body: call.body });
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return { text, headers: response.headers };
};

export const load = async (
  url: string,
  headers: Record<string, string>,
  body: string,
  connections = CONNECTIONS,
): Promise<{ requests: number; perSecond: number; p50Ms: number; p99Ms: number }> => {
  const result = await autocannon({
    url,
    method: 'POST',
    headers,
    body,
    connections,
    duration: ROUND_SECONDS,
  });
  if (result.non2xx > 0 || result.errors > 0) {
    throw new Error(`${String(result.non2xx)} refusals and ${String(result.errors)} errors under load`);
  }
  const { requests, latency } = result;
  return { requests: requests.total, perSecond: requests.average, p50Ms: latency.p50, p99Ms: latency.p99 };
};

/** Answers everything with the given bytes. */
const bareServer = async (contentType: string, body: string) => {
  const bytes = Buffer.from(body);
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      response.writeHead(200, { 'content-type': contentType, 'content-length': bytes.length }).end(bytes);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`, close: () => server.close() };
};

const measure = async (endpoint: string, operation: string, call: Call): Promise<ApiBench> => {
  const { text, headers } = await post(endpoint, call);
  const bare = await bareServer(headers.get('content-type') ?? '', text);
  const rounds: { ours: Awaited<ReturnType<typeof load>>; bare: number }[] = [];
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const ours = await load(endpoint, await signed(endpoint, call), call.body);
      rounds.push({ ours, bare: (await load(bare.url, call.headers, call.body)).perSecond });
    }
  } finally {
    bare.close();
  }
  return {
    operation,
    requestsPerSecond: Math.round(median(rounds.map(({ ours }) => ours.perSecond))),
    barePerSecond: Math.round(median(rounds.map((round) => round.bare))),
    ratio: median(rounds.map((round) => round.ours.perSecond / round.bare)),
    p50Ms: median(rounds.map(({ ours }) => ours.p50Ms)),
    p99Ms: median(rounds.map(({ ours }) => ours.p99Ms)),
  };
};

/**
 * Of `npm start`: young objects get more room than Node gives them, so that those of a request under way are not copied
 * again and again. Measured: a tenth of what the main thread spends on KMS' Encrypt.
 */
export const NODE_OPTIONS = ['--max-semi-space-size=32'];

/** A stack as `npm start` runs it, in a process and a folder of its own. */
export const startStack = async (variables: Readonly<Record<string, string>> = {}) => {
  const home = await mkdtemp(join(tmpdir(), 'holdfast-bench-'));
  const main = fileURLToPath(new URL('../holdfast/main.js', import.meta.url));
  const child = spawn(process.execPath, [...NODE_OPTIONS, main, 'up', '--port', '0'], {
    env: { ...process.env, HOLDFAST_HOME: home, HOLDFAST_LOG_LEVEL: 'warn', ...variables },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const stop = async () => {
    child.kill('SIGTERM');
    if (child.exitCode === null) await once(child, 'exit');
    await rm(home, { recursive: true, force: true });
  };
  for (const deadline = Date.now() + 60_000; ;) {
    try {
      const { endpoint } = JSON.parse(await readFile(join(home, 'stack.json'), 'utf8')) as { endpoint: string };
      if ((await fetch(`${endpoint}/_holdfast/health`)).ok) return { endpoint, stop, pid: child.pid ?? 0 };
    } catch {
      // Not up yet.
    }
    if (child.exitCode !== null || Date.now() > deadline) {
      await stop();
      throw new Error('the stack to be measured did not start');
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
};

const CREATE_VOLUME = { Action: 'CreateVolume', AvailabilityZone: `${REGION}a`, Size: '1' };

const createVolumes = async (endpoint: string, count: number): Promise<void> => {
  for (let made = 0; made < count; made += CONNECTIONS) {
    await Promise.all(Array.from({ length: CONNECTIONS }, () => post(endpoint, ec2Call(CREATE_VOLUME))));
  }
};

export const benchApi = async (): Promise<ApiBench[]> => {
  const { endpoint, stop } = await startStack();
  try {
    const { text } = await post(endpoint, kmsCall('CreateKey', {}));
    const KeyId = (JSON.parse(text) as { KeyMetadata: { Arn: string } }).KeyMetadata.Arn;
    const dataKey = await measure(
      endpoint,
      'GenerateDataKey',
      kmsCall('GenerateDataKey', { KeyId, KeySpec: 'AES_256' }),
    );
    await createVolumes(endpoint, DESCRIBED_VOLUMES);
    const describe = await measure(
      endpoint,
      `DescribeVolumes (${String(DESCRIBED_VOLUMES)})`,
      ec2Call({ Action: 'DescribeVolumes' }),
    );
    const create = await measure(
      endpoint,
      'CreateVolume (encrypted)',
      ec2Call({ ...CREATE_VOLUME, Encrypted: 'true', KmsKeyId: KeyId }),
    );
    return [create, describe, dataKey];
  } finally {
    await stop();
  }
};
