import type { Clock, Logger } from '@holdfast/service-kit';
import type { Decisions } from '../../application/ports.ts';

const INTERVAL_MS = 60_000;
const DAY_MS = 86_400_000;

export interface Retention {
  readonly days: number;
  readonly most: number;
}

/** Forgets decisions that are too old, or too many. Replicas may do so at once. */
export class RetentionClock {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();

  constructor(
    private readonly decisions: Decisions,
    private readonly clock: Clock,
    private readonly logger: Pick<Logger, 'warn'>,
    private readonly retention: Retention,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      this.running = this.forget().catch((error: unknown) =>
        this.logger.warn({ err: error }, 'old decisions were not forgotten; trying again'),
      );
    }, INTERVAL_MS);
    this.timer.unref();
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }

  async forget(): Promise<void> {
    const { days, most } = this.retention;
    const before = new Date(this.clock.now().getTime() - days * DAY_MS);
    await this.decisions.forget(before.toISOString(), most);
  }
}
