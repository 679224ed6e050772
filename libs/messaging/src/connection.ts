import { errors } from '@nats-io/nats-core';

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
