// Cryptographic operations of KMS per second through the endpoint of a composed stack, each use durable in the log before it
// is answered; beside what the same signed HTTP does with nothing behind it, bare commits, and bare operations of node:crypto.
import { type ChildProcess, fork } from 'node:child_process';
import { createCipheriv, createDecipheriv, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { type Call, kmsCall, load, NODE_OPTIONS, post, signed, startStack } from './api.ts';
import { median } from './median.ts';
import { treeSeconds } from './processor-time.ts';
import type { Row } from './row.ts';

const CLIENTS = [1, 16, 64];
const ROUNDS = 3;
/**
 * Of the ceiling, with the most clients: what the stack may not fall below, and what it could be. The ceiling is one process,
 * the stack shares the machine with Postgres and NATS: neighbours on two cores cost it several times what they cost the other.
 */
const FLOOR = 0.25;
const AIM = 0.5;
/** The same of processor time, of all the stack's processes together: neighbours lengthen both sides' alike. */
const PROCESSOR_FLOOR = 0.2;
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
  readonly pid: number;
  answers(operation: string, output: unknown): Promise<void>;
  stop(): void;
}

const startCeiling = async (): Promise<Ceiling> => {
  const path = fileURLToPath(new URL('./signed-http-server.js', import.meta.url));
  const child: ChildProcess = fork(path, { execArgv: NODE_OPTIONS });
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  return {
    url: `http://127.0.0.1:${String(port)}`,
    pid: child.pid ?? 0,
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

type Stack = Awaited<ReturnType<typeof startStack>>;

/** A load, and what the process and all that it started spent on each of its requests, in microseconds; null where unknown. */
const loadOf = async (pid: number, url: string, call: Call, clients: number) => {
  const headers = await signed(url, call);
  const before = treeSeconds(pid);
  const done = await load(url, headers, call.body, clients);
  const after = treeSeconds(pid);
  const spent = before === null || after === null ? null : ((after - before) * 1e6) / done.requests;
  return { ...done, processorUs: spent };
};

/** Alternates the two, so that both meet the same neighbours on the machine. */
const measure = async (stack: Stack, ceiling: Ceiling, { name, input }: Operation, clients: number) => {
  const { endpoint, pid } = stack;
  const call = kmsCall(name, input);
  const { text } = await post(endpoint, call);
  await ceiling.answers(name, JSON.parse(text));
  type Load = Awaited<ReturnType<typeof loadOf>>;
  const rounds: { ours: Load; bare: Load }[] = [];
  await load(endpoint, await signed(endpoint, call), call.body, clients); // Code that has not run yet is slower.
  for (let round = 0; round < ROUNDS; round++) {
    const ours = await loadOf(pid, endpoint, call, clients);
    rounds.push({ ours, bare: await loadOf(ceiling.pid, ceiling.url, call, clients) });
  }
  const of = (figure: (round: (typeof rounds)[number]) => number | null) =>
    median(rounds.map(figure).filter((value) => value !== null));
  return {
    rate: Math.round(of(({ ours }) => ours.perSecond)),
    bare: Math.round(of(({ bare }) => bare.perSecond)),
    ratio: of(({ ours, bare }) => ours.perSecond / bare.perSecond),
    p50Ms: of(({ ours }) => ours.p50Ms),
    p99Ms: of(({ ours }) => ours.p99Ms),
    isProcessorTimeKnown: rounds.every(({ ours, bare }) => ours.processorUs !== null && bare.processorUs !== null),
    oursUs: Math.round(of(({ ours }) => ours.processorUs)),
    bareUs: Math.round(of(({ bare }) => bare.processorUs)),
  };
};

/** How services ask each other: within the process, which is the embedded stack's way, or over NATS as in a cluster. */
const SHAPES = [
  {
    requests: 'local',
    clientCounts: CLIENTS,
    held: { target: FLOOR, aim: AIM },
    processor: { target: PROCESSOR_FLOOR },
  },
  { requests: 'nats', clientCounts: CLIENTS.slice(-1), held: {}, processor: {} },
] as const;

const rowsOf = async (
  { requests, clientCounts, held, processor }: (typeof SHAPES)[number],
  ceiling: Ceiling,
  commits: ReadonlyMap<number, number>,
): Promise<Row[]> => {
  const stack = await startStack({ HOLDFAST_REQUESTS: requests });
  const rows: Row[] = [];
  try {
    for (const operation of await operationsOn(stack.endpoint)) {
      const crypto = perSecond(operation.bare);
      for (const clients of clientCounts) {
        const measured = await measure(stack, ceiling, operation, clients);
        const { rate, bare, ratio, p50Ms, p99Ms, oursUs, bareUs } = measured;
        const figure = `${operation.name}, ${String(clients)} clients${requests === 'nats' ? ', services over NATS' : ''}`;
        const beside = `${String(commits.get(clients))}/s bare commits, ${String(crypto)}/s node:crypto`;
        const isMost = clients === CLIENTS.at(-1);
        rows.push({
          figure,
          value: `${String(rate)}/s, p50 ${String(p50Ms)} ms, p99 ${String(p99Ms)} ms`,
          yardstick: `${String(bare)}/s signed HTTP alone; ${beside}`,
          ratio,
          ...(isMost ? held : {}),
        });
        if (!isMost || !measured.isProcessorTimeKnown) continue;
        rows.push({
          figure: `${figure}, processor time`,
          value: `${String(oursUs)} µs a request, Postgres and nats-server included`,
          yardstick: `${String(bareUs)} µs signed HTTP alone`,
          ratio: bareUs / oursUs,
          ...processor,
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
