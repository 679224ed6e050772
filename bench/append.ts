// Events appended per second, against the same rows inserted by hand-written SQL in the same run and table.
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { accountId, type Instant, region } from '@holdfast/contracts';
import { createTestDatabase } from '@holdfast/embedded/testing';
import type { AppendOptions } from '@holdfast/event-store';
import { eventStoreMigrations, openDatabase, PostgresEventStore } from '@holdfast/event-store/postgres';

export interface AppendBench {
  /** Medians over the rounds, in rows per second. */
  readonly appendsPerSecond: number;
  readonly insertsPerSecond: number;
  /** Median of the rounds' own ratios: both sides of one ratio met the same weather. */
  readonly ratio: number;
}

export interface AppendBenchOptions {
  /** A superuser's; the server should be durable, as it is in use. */
  readonly adminUrl: string;
  readonly writers?: number;
  readonly rounds?: number;
  readonly roundMs?: number;
}

const account = accountId('123456789012');
const options: AppendOptions = {
  metadata: {
    caller: {
      requestId: randomUUID(),
      accountId: account,
      region: region('eu-central-1'),
      principal: { type: 'Root', arn: `arn:aws:iam::${account}:root`, accountId: account, principalId: account },
      sourceIp: '127.0.0.1',
      userAgent: 'bench',
    },
  },
  time: '2026-01-02T03:04:05.678Z' as Instant,
};
const event = {
  type: 'VolumeCreated',
  volumeId: 'vol-0123456789abcdef0',
  sizeGiB: 8,
  availabilityZone: 'eu-central-1a',
  encryption: { keyArn: `arn:aws:kms:eu-central-1:${account}:key/${randomUUID()}`, encryptedDataKey: 'A'.repeat(280) },
  at: options.time,
} as const;

const INSERT = `INSERT INTO events (stream_id, version, event_id, type, schema_version, data, metadata, time)
  VALUES ($1, $2, $3, $4, 1, $5, $6, $7) RETURNING global_position`;

const median = (numbers: readonly number[]): number => {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
};

/** Rows per second that `writers` concurrent writers get through; each writes streams of five. */
const rate = async (
  writers: number,
  roundMs: number,
  write: (streamId: string, version: number) => Promise<unknown>,
): Promise<number> => {
  const start = performance.now();
  let rows = 0;
  const writer = async () => {
    for (let streamId = randomUUID(), version = 0; performance.now() - start < roundMs; rows++) {
      if (version === 5) [streamId, version] = [randomUUID(), 0];
      await write(streamId, version++);
    }
  };
  await Promise.all(Array.from({ length: writers }, writer));
  return (rows / (performance.now() - start)) * 1000;
};

/** Alternates the two, so that both meet the same table sizes and the same neighbours on the machine. */
export const benchAppend = async ({
  adminUrl,
  writers = 16,
  rounds = 7,
  roundMs = 1500,
}: AppendBenchOptions): Promise<AppendBench> => {
  const urls = await createTestDatabase(adminUrl);
  const applicationName = 'bench-append';
  const migrations = eventStoreMigrations;
  const { serviceUrl: url, ownerUrl: migrationUrl } = urls;
  const database = await openDatabase({ url, migrationUrl, migrations, applicationName, poolSize: writers });
  const store = new PostgresEventStore({ database, service: 'bench' });
  const pool = new pg.Pool({ connectionString: url, max: writers });
  const append = (streamId: string, version: number) => store.append(streamId, version, [event], options);
  const insert = (streamId: string, version: number) => {
    const [data, metadata] = [JSON.stringify(event), JSON.stringify(options.metadata)];
    const values = [streamId, version + 1, randomUUID(), event.type, data, metadata, options.time];
    return pool.query({ name: 'insert', text: INSERT, values });
  };
  try {
    await rate(writers, roundMs / 3, append);
    await rate(writers, roundMs / 3, insert);
    const measured: { appends: number; inserts: number }[] = [];
    for (let round = 0; round < rounds; round++) {
      const appends = await rate(writers, roundMs, append);
      measured.push({ appends, inserts: await rate(writers, roundMs, insert) });
    }
    return {
      appendsPerSecond: Math.round(median(measured.map(({ appends }) => appends))),
      insertsPerSecond: Math.round(median(measured.map(({ inserts }) => inserts))),
      ratio: median(measured.map(({ appends, inserts }) => appends / inserts)),
    };
  } finally {
    await pool.end();
    await store.close();
    await database.close();
    await urls.drop();
  }
};
