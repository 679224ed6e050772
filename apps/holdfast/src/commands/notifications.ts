import { setTimeout as sleep } from 'node:timers/promises';
import { connectBus } from '@holdfast/messaging';
import { DeliverPolicy, JetStreamApiCodes, JetStreamApiError, jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import { readStackFile } from '../stack-file.ts';

export interface NotificationsOptions {
  readonly home: string;
  readonly since: Date;
  /** Go on until `signal` aborts. */
  readonly follow: boolean;
  /** One JSON object a line, as it is on NATS. */
  readonly json: boolean;
  readonly signal: AbortSignal;
  print(text: string): void;
}

interface Notification {
  readonly 'detail-type': string;
  readonly time: string;
  readonly account: string;
  readonly region: string;
  readonly resources: readonly string[];
  readonly detail:
    | { readonly event: string; readonly result: string; readonly cause: string }
    /** Of fast snapshot restores, which have states. */
    | { readonly state: string; readonly zone: string; readonly message: string };
}

const STREAM = 'NOTIFICATIONS';
const BATCH = 100;
const WAIT_MS = 500;

const EVENT_WIDTH = 14;
const RESULT_WIDTH = 10;

/** One line: when, where, what came of what, and why. */
export const formatNotification = ({ time, account, region, resources, detail }: Notification): string => {
  const { event, result, cause } =
    'state' in detail ? { event: `fast restore ${detail.zone}`, result: detail.state, cause: detail.message } : detail;
  const what = `${event.padEnd(EVENT_WIDTH)} ${result.padEnd(RESULT_WIDTH)} ${resources.join(' ')}`;
  return `${time}  ${account} ${region}  ${what}${cause === '' ? '' : `  cause: ${cause}`}`;
};

const isStreamMissing = (error: unknown): boolean =>
  error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound;

/** From the oldest one kept, in order; null as long as there never was one. */
const readerOf = async (connection: NatsConnection) => {
  try {
    return await jetstream(connection).consumers.get(STREAM, { deliver_policy: DeliverPolicy.All });
  } catch (error) {
    if (isStreamMissing(error)) return null;
    throw error;
  }
};

type Reader = NonNullable<Awaited<ReturnType<typeof readerOf>>>;

/** What is there now. @returns whether anything was. */
const drain = async (reader: Reader, { since, json, print }: NotificationsOptions): Promise<boolean> => {
  let any = false;
  for await (const message of await reader.fetch({ max_messages: BATCH, expires: 1_000 })) {
    any = true;
    const notification = message.json<Notification>();
    if (new Date(notification.time) >= since) print(json ? message.string() : formatNotification(notification));
    if (message.info.pending === 0) break;
  }
  return any;
};

/** Prints notifications of the running stack. @throws UserError when none runs. */
export const notifications = async (options: NotificationsOptions): Promise<void> => {
  const { home, follow, signal } = options;
  const bus = await connectBus({ nats: readStackFile(home).nats, name: 'holdfast notifications' });
  try {
    let reader: Reader | null = null;
    for (;;) {
      reader ??= await readerOf(bus.connection);
      const pending = reader === null ? 0 : (await reader.info()).num_pending;
      if (reader !== null && pending > 0) await drain(reader, options);
      else if (!follow || signal.aborted) return;
      else await sleep(WAIT_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
    }
  } finally {
    await bus.close();
  }
};
