// Cryptographic operations of KMS per second through the endpoint of a composed stack, each use durable in the log before it
// is answered; beside what the same signed HTTP does with nothing behind it, bare commits, and bare operations of node:crypto.
import { type ChildProcess, fork } from 'node:child_process';
import { createCipheriv, createDecipheriv, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { kmsCall, load, NODE_OPTIONS, post, signed, startStack } from './api.ts';
import { median } from './median.ts';
import type { Row } from './row.ts';

const CLIENTS = [1, 16, 64];
const ROUNDS = 3;
/**
 * Of the ceiling, with the most clients: what the stack may not fall below, and what it could be. The ceiling is one process,
 * the stack shares the machine with Postgres and NATS: neighbours on two cores cost it several times what they cost the other.
 */
const FLOOR = 0.05;
const AIM = 0.5;
const COMMIT_MS = 1500;
const CRYPTO_MS = 300;

interface Operation {
  readonly name: string;
  readonly input: object;
  /** One of them, by node:crypto alone. */
  readonly bare: () => unknown;
}

interface Ceiling {
  readonly url: string;
  answers(operation: string, output: unknown): Promise<void>;
  stop(): void;
}

const startCeiling = async (): Promise<Ceiling> => {
  const path = fileURLToPath(new URL('./signed-http-server.js', import.meta.url));
  const child: ChildProcess = fork(path, { execArgv: NODE_OPTIONS });
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  return {
    url: `http://127.0.0.1:${String(port)}`,
    answers: async (operation, output) => {
      const told = once(child, 'message');
      child.send({ operation, output });
      await told;
    },
    stop: () => child.kill(),
  };
};

const bareCipher = () => {
  const [key, nonce, plaintext] = [randomBytes(32), randomBytes(12), randomBytes(32)];
  const encrypt = () => {
    const cipher = createCipheriv('aes-256-gcm', key, nonce);
    return { text: Buffer.concat([cipher.update(plaintext), cipher.final()]), tag: cipher.getAuthTag() };
  };
  const made = encrypt();
  const decrypt = () => {
    const decipher = createDecipheriv('aes-256-gcm', key, nonce).setAuthTag(made.tag);
    return Buffer.concat([decipher.update(made.text), decipher.final()]);
  };
  return { encrypt, decrypt };
};

const asked = async (endpoint: string, operation: string, input: object): Promise<Record<string, unknown>> =>
  JSON.parse((await post(endpoint, kmsCall(operation, input))).text) as Record<string, unknown>;

const newKey = async (endpoint: string, input: object): Promise<string> =>
  ((await asked(endpoint, 'CreateKey', input)) as { KeyMetadata: { Arn: string } }).KeyMetadata.Arn;

const operationsOn = async (endpoint: string): Promise<Operation[]> => {
  const KeyId = await newKey(endpoint, {});
  const pair = await newKey(endpoint, { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
  const Plaintext = randomBytes(32).toString('base64');
  const { CiphertextBlob } = await asked(endpoint, 'Encrypt', { KeyId, Plaintext });
  const { encrypt, decrypt } = bareCipher();
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const Message = randomBytes(32);
  const signing = { KeyId: pair, Message: Message.toString('base64'), SigningAlgorithm: 'ECDSA_SHA_256' };
  return [
    { name: 'Encrypt', input: { KeyId, Plaintext }, bare: encrypt },
    { name: 'Decrypt', input: { CiphertextBlob }, bare: decrypt },
    { name: 'GenerateDataKey', input: { KeyId, KeySpec: 'AES_256' }, bare: encrypt },
    { name: 'ReEncrypt', input: { CiphertextBlob, DestinationKeyId: KeyId }, bare: () => [decrypt(), encrypt()] },
    { name: 'Sign', input: signing, bare: () => sign('sha256', Message, privateKey) },
  ];
};

/** How often one thread does it, each second. */
const perSecond = (work: () => unknown): number => {
  const start = performance.now();
  let count = 0;
  for (; performance.now() - start < CRYPTO_MS; count++) work();
  return Math.round((count / (performance.now() - start)) * 1000);
};

/** Rows of a use's size that this many clients commit each second, one a transaction. */
const commitsPerSecond = async (adminUrl: string, clients: number): Promise<number> => {
  const pool = new pg.Pool({ connectionString: adminUrl, max: clients });
  try {
    await pool.query('CREATE TABLE IF NOT EXISTS bare (id bigserial PRIMARY KEY, data text NOT NULL)');
    const data = 'x'.repeat(900);
    const start = performance.now();
    let rows = 0;
    const client = async () => {
      for (; performance.now() - start < COMMIT_MS; rows++) {
        await pool.query({ name: 'insert', text: 'INSERT INTO bare (data) VALUES ($1)', values: [data] });
      }
    };
    await Promise.all(Array.from({ length: clients }, client));
    return Math.round((rows / (performance.now() - start)) * 1000);
  } finally {
    await pool.end();
  }
};

/** Alternates the two, so that both meet the same neighbours on the machine. */
const measure = async (endpoint: string, ceiling: Ceiling, { name, input }: Operation, clients: number) => {
  const call = kmsCall(name, input);
  const { text } = await post(endpoint, call);
  await ceiling.answers(name, JSON.parse(text));
  const rounds: { ours: Awaited<ReturnType<typeof load>>; bare: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const ours = await load(endpoint, await signed(endpoint, call), call.body, clients);
    const bare = await load(ceiling.url, await signed(ceiling.url, call), call.body, clients);
    rounds.push({ ours, bare: bare.perSecond });
  }
  return {
    rate: Math.round(median(rounds.map(({ ours }) => ours.perSecond))),
    bare: Math.round(median(rounds.map((round) => round.bare))),
    ratio: median(rounds.map(({ ours, bare }) => ours.perSecond / bare)),
    p50Ms: median(rounds.map(({ ours }) => ours.p50Ms)),
    p99Ms: median(rounds.map(({ ours }) => ours.p99Ms)),
  };
};

/** How services ask each other: within the process, which is the embedded stack's way, or over NATS as in a cluster. */
const SHAPES = [
  { requests: 'local', clientCounts: CLIENTS, held: { target: FLOOR, aim: AIM } },
  { requests: 'nats', clientCounts: CLIENTS.slice(-1), held: {} },
] as const;

const rowsOf = async (
  { requests, clientCounts, held }: (typeof SHAPES)[number],
  ceiling: Ceiling,
  commits: ReadonlyMap<number, number>,
): Promise<Row[]> => {
  const stack = await startStack({ HOLDFAST_REQUESTS: requests });
  const rows: Row[] = [];
  try {
    for (const operation of await operationsOn(stack.endpoint)) {
      const crypto = perSecond(operation.bare);
      for (const clients of clientCounts) {
        const { rate, bare, ratio, p50Ms, p99Ms } = await measure(stack.endpoint, ceiling, operation, clients);
        const beside = `${String(commits.get(clients))}/s bare commits, ${String(crypto)}/s node:crypto`;
        rows.push({
          figure: `${operation.name}, ${String(clients)} clients${requests === 'nats' ? ', services over NATS' : ''}`,
          value: `${String(rate)}/s, p50 ${String(p50Ms)} ms, p99 ${String(p99Ms)} ms`,
          yardstick: `${String(bare)}/s signed HTTP alone; ${beside}`,
          ratio,
          ...(clients === CLIENTS.at(-1) ? held : {}),
        });
      }
    }
    return rows;
  } finally {
    await stack.stop();
  }
};

/** @param adminUrl of a durable Postgres, for the bare commits. */
export const kmsRows = async (adminUrl: string): Promise<Row[]> => {
  const commits = new Map<number, number>();
  for (const clients of CLIENTS) commits.set(clients, await commitsPerSecond(adminUrl, clients));
  const ceiling = await startCeiling();
  try {
    const rows: Row[] = [];
    for (const shape of SHAPES) rows.push(...(await rowsOf(shape, ceiling, commits)));
    return rows;
  } finally {
    ceiling.stop();
  }
};
