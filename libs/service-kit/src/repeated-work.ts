import type { Logger } from './logger.ts';

/**
 * Work that is done again and again from the service's start to its end: the next time comes `intervalMs` after the last
 * has ended. One that fails is logged and tried again. As a provider of a Nest module it starts and ends by itself.
 */
export abstract class RepeatedWork {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();
  protected stopped = false;

  /** `complaint` says what was not done, and is logged with the error. */
  protected constructor(
    private readonly intervalMs: number,
    private readonly complaint: string,
    protected readonly logger: Pick<Logger, 'info' | 'warn'>,
  ) {}

  /** Once. */
  abstract run(): Promise<void>;

  onApplicationBootstrap(): void {
    this.schedule();
  }

  /** Waits for what is being done. */
  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.running;
  }

  private schedule(): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.running = this.attempt().finally(() => this.schedule());
    }, this.intervalMs).unref();
  }

  private async attempt(): Promise<void> {
    try {
      await this.run();
    } catch (error) {
      this.logger.warn({ err: error }, `${this.complaint}; trying again`);
    }
  }
}
