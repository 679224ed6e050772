import { errors, type NatsConnection } from '@nats-io/nats-core';
import type { BusLogger } from './logger.ts';

/** Nobody subscribes to the subject of a request. */
export const isNoResponders = (error: unknown): boolean =>
  error instanceof errors.NoRespondersError || (error instanceof errors.RequestError && error.isNoResponders());
/** Nobody answered a request in time. */
export const isTimeout = (error: unknown): boolean =>
  error instanceof errors.TimeoutError || (error instanceof Error && error.cause instanceof errors.TimeoutError);

/** How long a server that may be gone is waited for when something closes, in milliseconds. */
const LAST_WORDS_MS = 2000;

/**
 * Waits for what needs the server's answer, but not for ever: while the connection is lost the answer never comes.
 * Failures are swallowed, since nothing but closing follows.
 */
export const whileConnected = async (answer: Promise<unknown>): Promise<void> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, LAST_WORDS_MS)));
  await Promise.race([answer, late]).catch(() => undefined);
  clearTimeout(timer);
};

/**
 * Tells those who wait for an answer that the connection broke: the server that had their request forgot it, and without
 * this they would wait until their deadline. So would those who ask while it is broken: the client drops at its reconnect
 * what was published before.
 */
export class ConnectionWatch {
  private readonly waiting = new Set<() => void>();
  private connected = true;

  constructor(
    private readonly connection: NatsConnection,
    private readonly logger: BusLogger,
  ) {
    void this.watch();
  }

  /** False from the moment the connection is lost until there is another one. */
  get isConnected(): boolean {
    return this.connected;
  }

  /** The answer, or what `lost` makes of a connection that broke before it came. */
  async answerOf<Answer>(answer: Promise<Answer>, lost: () => Error): Promise<Answer> {
    let onLoss: () => void = () => undefined;
    const loss = new Promise<never>((_, reject) => (onLoss = () => reject(lost())));
    this.waiting.add(onLoss);
    try {
      return await Promise.race([answer, loss]);
    } finally {
      this.waiting.delete(onLoss);
      answer.catch(() => undefined); // It may fail later, when nobody waits for it any more.
    }
  }

  private async watch(): Promise<void> {
    for await (const status of this.connection.status()) {
      if (status.type === 'disconnect') {
        this.connected = false;
        this.logger.warn({ server: status.server }, 'lost the connection to NATS');
        for (const onLoss of [...this.waiting]) onLoss();
      }
      if (status.type === 'reconnect') {
        this.connected = true;
        this.logger.info({ server: status.server }, 'connected to NATS again');
      }
      if (status.type === 'error') this.logger.error({ err: status.error }, 'NATS reported an error');
    }
  }
}
