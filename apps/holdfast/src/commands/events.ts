import { setTimeout as sleep } from 'node:timers/promises';
import { EventTable } from '../event-tables.ts';
import { readStackFile } from '../stack-file.ts';
import { formatEvent, type TimelineEvent } from '../timeline.ts';

export interface EventsOptions {
  readonly home: string;
  readonly since: Date;
  /** Go on until `signal` aborts. */
  readonly follow: boolean;
  /** One JSON object a line instead of a table. */
  readonly json: boolean;
  readonly signal: AbortSignal;
  print(text: string): void;
}

const POLL_MS = 300;

const byTime = (a: TimelineEvent, b: TimelineEvent): number => a.time.getTime() - b.time.getTime();

/** All that the tables hold now, by time. The sort is stable: a service's own events keep their order unless time was turned back. */
const drain = async (tables: readonly EventTable[]): Promise<TimelineEvent[]> => {
  const all: TimelineEvent[] = [];
  let batch: TimelineEvent[];
  do {
    batch = (await Promise.all(tables.map((table) => table.next()))).flat();
    all.push(...batch);
  } while (batch.length > 0);
  return all.sort(byTime);
};

/** Prints the events of all services of the running stack as one timeline. @throws UserError when none runs. */
export const events = async ({ home, since, follow, json, signal, print }: EventsOptions): Promise<void> => {
  const { databases } = readStackFile(home);
  const tables = Object.entries(databases).map(
    ([service, { serviceUrl }]) => new EventTable(service, serviceUrl, since),
  );
  try {
    for (;;) {
      for (const event of await drain(tables)) print(json ? JSON.stringify(event) : formatEvent(event));
      if (!follow || signal.aborted) return;
      await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
    }
  } finally {
    await Promise.all(tables.map((table) => table.close()));
  }
};
