import type { Sql, SubscribableStore } from '@holdfast/event-store';
import type { Logger } from '@holdfast/service-kit';
import { projectLastUses } from '../../projections/key-last-uses.ts';

/** Readers add what is not projected yet themselves; this only keeps it little. */
const INTERVAL_MS = 1000;

/** Keeps `key_last_uses` close to the end of the log. */
export class LastUseFollower {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(
    private readonly store: Pick<SubscribableStore, 'loadCheckpoint' | 'advance'>,
    private readonly database: Sql,
    private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.schedule();
  }

  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.running;
  }

  private schedule(): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.running = this.tick().finally(() => this.schedule());
    }, INTERVAL_MS);
    this.timer.unref();
  }

  private async tick(): Promise<void> {
    try {
      let more = true;
      while (more && !this.stopped) more = await projectLastUses(this.store, this.database);
    } catch (error) {
      this.logger.warn({ err: error }, 'last uses of keys were not projected; trying again');
    }
  }
}
