import { connectBus, type ParkedEvent, type ParkedEvents } from '@holdfast/messaging';
import { UserError } from '../errors.ts';
import { readStackFile } from '../stack-file.ts';

type Print = (text: string) => void;

const PAGE = 1000;

/** Opens the running stack's parked events for as long as `work` takes. @throws UserError when no stack runs on `home`. */
export const withParkedEvents = async <T>(home: string, work: (parked: ParkedEvents) => Promise<T>): Promise<T> => {
  const bus = await connectBus({ nats: readStackFile(home).nats, name: 'holdfast parked' });
  try {
    return await work(bus.parked);
  } finally {
    await bus.close();
  }
};

const all = async (parked: Pick<ParkedEvents, 'list'>, owner?: string): Promise<ParkedEvent[]> => {
  const found: ParkedEvent[] = [];
  for (;;) {
    const page = await parked.list({ owner, limit: PAGE, after: found.at(-1)?.id });
    found.push(...page);
    if (page.length < PAGE) return found;
  }
};

/** One line for each event that a consumer could not handle, with the reason of its last attempt below. */
export const listParked = async (parked: Pick<ParkedEvents, 'list'>, print: Print, owner?: string): Promise<void> => {
  const found = await all(parked, owner);
  if (found.length === 0) print('nothing is parked');
  for (const { id, owner: service, consumer, subject, attempts, parkedAt, reason } of found) {
    print(`${id.padStart(6)}  ${parkedAt.toISOString()}  ${service}/${consumer}  ${subject}  ${attempts} attempts`);
    print(`${' '.repeat(8)}${reason}`);
  }
};

/** Ids as the user gave them, or with `everything` those of all parked events. */
const chosen = async (
  parked: Pick<ParkedEvents, 'list'>,
  ids: readonly string[],
  everything: boolean,
): Promise<readonly string[]> => {
  if (everything === ids.length > 0) throw new UserError('name the ids of parked events, or --all');
  const wrong = ids.find((id) => !/^[1-9]\d{0,15}$/.test(id));
  if (wrong !== undefined) throw new UserError(`${wrong} is no id of a parked event: see "holdfast parked list"`);
  return everything ? (await all(parked)).map(({ id }) => id) : ids;
};

/** Has each event handled once more. @returns whether all of them were. */
export const retryParked = async (
  parked: Pick<ParkedEvents, 'list' | 'retry'>,
  ids: readonly string[],
  everything: boolean,
  print: Print,
): Promise<boolean> => {
  let handled = true;
  for (const id of await chosen(parked, ids, everything)) {
    const problem = await parked.retry(id).catch((error: Error) => error.message);
    if (problem !== null) handled = false;
    print(`${id.padStart(6)}  ${problem ?? 'handled'}`);
  }
  return handled;
};

/** Drops each event for good. @returns whether all of them were there. */
export const discardParked = async (
  parked: Pick<ParkedEvents, 'list' | 'discard'>,
  ids: readonly string[],
  everything: boolean,
  print: Print,
): Promise<boolean> => {
  let found = true;
  for (const id of await chosen(parked, ids, everything)) {
    const dropped = await parked.discard(id);
    if (!dropped) found = false;
    print(`${id.padStart(6)}  ${dropped ? 'discarded' : 'no such parked event'}`);
  }
  return found;
};
