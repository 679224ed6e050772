import { type Logger, RepeatedWork } from '@holdfast/service-kit';
import type { DueVolumes } from '../../application/due-volumes.ts';

/** So that a turned clock shows soon what it asks for. */
const INTERVAL_MS = 1000;

/** Looks for volumes whose time has come. Replicas may look at once: the volume's stream lets one of them through. */
export class VolumeClock extends RepeatedWork {
  constructor(
    private readonly due: DueVolumes,
    logger: Logger,
  ) {
    super(INTERVAL_MS, 'the volumes that leave the Recycle Bin were not looked up', logger);
  }

  async run(): Promise<void> {
    await this.due.run((error, volumeId) =>
      this.logger.warn({ err: error, volumeId }, 'a volume did not leave the Recycle Bin; trying again'),
    );
  }
}
