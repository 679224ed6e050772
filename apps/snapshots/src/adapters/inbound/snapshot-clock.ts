import type { Logger } from '@holdfast/service-kit';
import type { DueSnapshots } from '../../application/due-snapshots.ts';

/** So that a turned clock shows soon what it asks for. */
const INTERVAL_MS = 1000;

/** Looks for snapshots whose time has come. Replicas may look at once: the snapshot's stream lets one of them through. */
export class SnapshotClock {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(
    private readonly due: DueSnapshots,
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
      await this.due.run((error, snapshotId) =>
        this.logger.warn({ err: error, snapshotId }, 'what is due for a snapshot was not done; trying again'),
      );
    } catch (error) {
      this.logger.warn({ err: error }, 'the work that is due was not looked up; trying again');
    }
  }
}
