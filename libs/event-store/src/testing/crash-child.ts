// Run by crash tests as a process of its own, to be killed at the worst moment. Prints a line for each thing it believes
// to be safe: what was acknowledged must survive.
import { randomUUID } from 'node:crypto';
import { writeSync } from 'node:fs';
import { AckPolicy, jetstream } from '@nats-io/jetstream';
import { subscribe } from '../subscription.ts';
import { PostgresEventStore, PostgresInbox } from '../postgres/index.ts';
import { Relay } from '../relay/relay.ts';
import type { StoredEvent } from '../types.ts';
import type { ChildTask } from './children.ts';
import { NOTE_EFFECT, openTestDatabase } from './effects.ts';
import { appendOptions, counted } from './fixtures.ts';
import { connectForEver } from './nats.ts';

/** Synchronous: what was said before a kill has been said. */
const say = (line: string): void => void writeSync(1, `${line}\n`);
const die = (): never => {
  process.kill(process.pid, 'SIGKILL');
  throw new Error('unreachable');
};

const { task, urls, nats, service } = JSON.parse(process.argv[2] ?? '') as ChildTask;
const database = await openTestDatabase(urls, 'crash-child');
const store = new PostgresEventStore({ database, service });

const tasks: Record<ChildTask['task'], () => Promise<void>> = {
  'append-and-die': async () => {
    const [event] = await store.append(randomUUID(), 0, [counted(1)], appendOptions);
    say(event?.eventId ?? '');
    die();
  },
  'append-and-relay': async () => {
    new Relay({ store, connection: await connectForEver(nats) });
    const write = async () => {
      const streamId = randomUUID();
      for (let version = 0; ; version++) {
        const [event] = await store.append(streamId, version, [counted(version)], appendOptions);
        say(event?.eventId ?? '');
      }
    };
    await Promise.all([write(), write(), write()]);
  },
  subscribe: () =>
    subscribe({
      store,
      checkpointName: 'effects',
      batchSize: 5,
      signal: new AbortController().signal,
      handler: async ({ eventId }, sql) => {
        await sql.query(NOTE_EFFECT, [eventId]);
        say(eventId);
      },
    }),
  'handle-and-die': async () => {
    const inbox = new PostgresInbox(database);
    const js = jetstream(await connectForEver(nats));
    const manager = await js.jetstreamManager(false);
    const ackWaitNs = 1_000_000_000;
    await manager.consumers.add(`EVENTS-${service}`, { durable_name: 'c', ack_policy: AckPolicy.Explicit, ack_wait: ackWaitNs }); // prettier-ignore
    const message = await (await js.consumers.get(`EVENTS-${service}`, 'c')).next();
    const { eventId } = message?.json<StoredEvent>() ?? { eventId: '' };
    const ran = await inbox.once('c', eventId, async (sql) => void (await sql.query(NOTE_EFFECT, [eventId])));
    say(`${eventId} ${String(ran)}`);
    die();
  },
};
await tasks[task]();
