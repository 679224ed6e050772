import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

/** The two halves of an advisory lock's key; the same for all services, since locks are per database. */
const LOCK = [4_566, 2] as const;
/** How often a follower tries to become leader. */
const CANDIDACY_MS = 500;
const HEARTBEAT_MS = 3_000;
const HEARTBEAT_TIMEOUT_MS = 3_000;
/** A leader whose host vanished is noticed by the server after about idle + count × interval. */
const KEEPALIVES = `SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3`;

export interface LeadershipOptions {
  readonly url: string;
  readonly applicationName: string;
  readonly signal: AbortSignal;
  readonly onError: (error: unknown) => void;
}

const heartbeats = async (client: pg.Client, term: AbortController): Promise<void> => {
  while (!term.signal.aborted) {
    await sleep(HEARTBEAT_MS, undefined, { signal: term.signal }).catch(() => undefined);
    if (term.signal.aborted) return;
    const timer = setTimeout(() => term.abort(), HEARTBEAT_TIMEOUT_MS);
    await client.query('SELECT 1').catch(() => term.abort());
    clearTimeout(timer);
  }
};

/** One connection's try: stays a candidate until it leads, leads until the connection ends or `lead` returns. */
const campaign = async (options: LeadershipOptions, lead: (term: AbortSignal) => Promise<void>): Promise<void> => {
  const client = new pg.Client({
    connectionString: options.url,
    application_name: options.applicationName,
    keepAlive: true,
    connectionTimeoutMillis: 10_000,
  });
  const term = new AbortController();
  const end = () => term.abort();
  client.on('error', end);
  client.on('end', end);
  options.signal.addEventListener('abort', end, { once: true });
  try {
    await client.connect();
    await client.query(KEEPALIVES);
    while (!term.signal.aborted) {
      const { rows } = await client.query<{ won: boolean }>('SELECT pg_try_advisory_lock($1, $2) AS won', [...LOCK]);
      if (rows[0]?.won === true) {
        const beating = heartbeats(client, term);
        await lead(term.signal).finally(end);
        await beating;
        return;
      }
      await sleep(CANDIDACY_MS, undefined, { signal: term.signal }).catch(() => undefined);
    }
  } finally {
    options.signal.removeEventListener('abort', end);
    end();
    await client.end().catch(() => undefined); // Ends the session, and the lock with it.
  }
};

/**
 * Runs `lead` in at most one process per database at a time, by an advisory lock on a connection of its own. The term's
 * signal aborts when that connection is lost; another process may then already lead.
 * @returns when `signal` aborts.
 */
export const whileLeading = async (
  options: LeadershipOptions,
  lead: (term: AbortSignal) => Promise<void>,
): Promise<void> => {
  while (!options.signal.aborted) {
    await campaign(options, lead).catch(options.onError);
    await sleep(CANDIDACY_MS, undefined, { signal: options.signal }).catch(() => undefined);
  }
};
