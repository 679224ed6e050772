import type { Sql, SubscribableStore } from '@holdfast/event-store';
import { type Logger, RepeatedWork } from '@holdfast/service-kit';
import { projectLastUses } from '../../projections/key-last-uses.ts';

/** Readers add what is not projected yet themselves; this only keeps it little. */
const INTERVAL_MS = 1000;

/** Keeps `key_last_uses` close to the end of the log. */
export class LastUseFollower extends RepeatedWork {
  constructor(
    private readonly store: Pick<SubscribableStore, 'loadCheckpoint' | 'advance'>,
    private readonly database: Sql,
    logger: Logger,
  ) {
    super(INTERVAL_MS, 'last uses of keys were not projected', logger);
  }

  async run(): Promise<void> {
    let more = true;
    while (more && !this.stopped) more = await projectLastUses(this.store, this.database);
  }
}
