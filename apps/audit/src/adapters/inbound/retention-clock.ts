import { type Clock, type Logger, RepeatedWork } from '@holdfast/service-kit';
import type { Decisions } from '../../application/ports.ts';

const INTERVAL_MS = 60_000;
const DAY_MS = 86_400_000;

export interface Retention {
  readonly days: number;
  readonly most: number;
}

/** Forgets decisions that are too old, or too many. Replicas may do so at once. */
export class RetentionClock extends RepeatedWork {
  constructor(
    private readonly decisions: Decisions,
    private readonly clock: Clock,
    logger: Pick<Logger, 'info' | 'warn'>,
    private readonly retention: Retention,
  ) {
    super(INTERVAL_MS, 'old decisions were not forgotten', logger);
  }

  async run(): Promise<void> {
    const { days, most } = this.retention;
    const before = new Date(this.clock.now().getTime() - days * DAY_MS);
    await this.decisions.forget(before.toISOString(), most);
  }
}
