import type { Logger } from '@holdfast/service-kit';
import { completeKeyDeletions } from '../../application/complete-key-deletions.ts';
import type { Kms } from '../../application/ports.ts';

/** AWS deletes up to a day late; here it is at most this, so that a turned clock shows it at once. */
const INTERVAL_MS = 1000;

/** Looks for keys whose time has come. Replicas may look at once: the key's stream lets one of them through. */
export class KeyDeletionClock {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(
    private readonly kms: Kms,
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
      await completeKeyDeletions(this.kms);
    } catch (error) {
      this.logger.warn({ err: error }, 'keys that are due were not deleted; trying again');
    }
  }
}
