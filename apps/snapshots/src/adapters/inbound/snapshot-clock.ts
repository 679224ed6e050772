import { type Logger, RepeatedWork } from '@holdfast/service-kit';
import type { DueSnapshots } from '../../application/due-snapshots.ts';

/** So that a turned clock shows soon what it asks for. */
const INTERVAL_MS = 1000;

/** Looks for snapshots whose time has come. Replicas may look at once: the snapshot's stream lets one of them through. */
export class SnapshotClock extends RepeatedWork {
  constructor(
    private readonly due: DueSnapshots,
    logger: Logger,
  ) {
    super(INTERVAL_MS, 'the work that is due was not looked up', logger);
  }

  async run(): Promise<void> {
    await this.due.run((error, snapshotId) =>
      this.logger.warn({ err: error, snapshotId }, 'what is due for a snapshot was not done; trying again'),
    );
  }
}
