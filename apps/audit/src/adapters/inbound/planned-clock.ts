import { type Logger, RepeatedWork } from '@holdfast/service-kit';
import type { TellPlanned } from '../../application/tell-planned.ts';

/** So that a turned clock shows soon what it asks for. */
const INTERVAL_MS = 1_000;

/** Replicas may publish at once. */
export class PlannedClock extends RepeatedWork {
  constructor(
    private readonly planned: TellPlanned,
    logger: Pick<Logger, 'info' | 'warn'>,
  ) {
    super(INTERVAL_MS, 'planned notifications were not published', logger);
  }

  run(): Promise<void> {
    return this.planned.run();
  }
}
