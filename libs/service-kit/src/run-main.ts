import type { z } from 'zod';
import { environmentFrom, type OwnSettings } from './config.ts';
import type { RunningService, StartService } from './types.ts';

/** How long a service may take to finish what it does after a signal, in milliseconds. */
const CLOSE_TIMEOUT_MS = 20_000;

const fail = (text: string): never => {
  process.stderr.write(`${text.replaceAll(/\s*\n\s*/g, ' ')}\n`);
  process.exit(1);
};
/** A refused connection to `localhost` is an AggregateError without words of its own. */
const textOf = (error: unknown): string => {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(textOf).join('; ');
  return error instanceof Error && error.message !== '' ? error.message : String(error);
};

/**
 * The whole of an app's main.ts: starts the service from `process.env`, stops it on SIGTERM and SIGINT (a second one
 * stops at once), and ends with code 1 and one line on standard error when it can't start or stop.
 * @param own the service's own variables, beyond those that every service reads.
 */
export const runMain = async <Shape extends z.ZodRawShape>(
  start: StartService,
  own?: OwnSettings<Shape>,
): Promise<void> => {
  let service: RunningService;
  try {
    service = await start(environmentFrom(process.env, own));
  } catch (error) {
    return fail(`cannot start: ${textOf(error)}`);
  }
  let stopping = false;
  const stop = () => {
    if (stopping) fail(`${service.name}: stopped before it had finished`);
    stopping = true;
    setTimeout(
      () => fail(`${service.name}: did not finish in ${String(CLOSE_TIMEOUT_MS)} ms`),
      CLOSE_TIMEOUT_MS,
    ).unref();
    service.close().then(
      () => process.exit(0),
      (error: unknown) => fail(`${service.name}: cannot stop: ${textOf(error)}`),
    );
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
};
