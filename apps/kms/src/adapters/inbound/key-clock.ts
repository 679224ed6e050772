import { type Logger, RepeatedWork } from '@holdfast/service-kit';
import { doDueWork } from '../../application/due-work.ts';
import type { Kms } from '../../application/ports.ts';

/** AWS is up to a day late with what it deletes and rotates; here it is at most this, so that a turned clock shows it at once. */
const INTERVAL_MS = 1000;
const SWEEP_INTERVAL_MS = 600_000;

/** Looks for keys whose time has come. Replicas may look at once: the key's stream lets one of them through. */
export class KeyClock extends RepeatedWork {
  private sweptAtMs = -Infinity;

  constructor(
    private readonly kms: Kms,
    logger: Logger,
  ) {
    super(INTERVAL_MS, 'the work that is due was not looked up', logger);
  }

  async run(): Promise<void> {
    await doDueWork(this.kms, (error, keyArn) =>
      this.logger.warn({ err: error, keyArn }, 'what is due for a key was not done; trying again'),
    );
    if (performance.now() - this.sweptAtMs < SWEEP_INTERVAL_MS) return;
    this.sweptAtMs = performance.now();
    const swept = await this.kms.materials.sweep();
    if (swept > 0) this.logger.info({ swept }, 'removed key material that no key names');
  }
}
