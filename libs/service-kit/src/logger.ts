import type { LoggerService } from '@nestjs/common';
import { type DestinationStream, type Logger, pino } from 'pino';
import { redact } from './redaction.ts';

export type { Logger } from 'pino';

/** One per file, so that services of one process write whole lines. */
const destinations = new Map<string | number, DestinationStream>();
const destination = (file: string | undefined): DestinationStream => {
  const target = file ?? 1;
  const known = destinations.get(target);
  if (known !== undefined) return known;
  const made = pino.destination({ dest: target, mkdir: true, append: true, sync: true });
  destinations.set(target, made);
  return made;
};

export interface LoggerOptions {
  /** The service's name, on every line. */
  readonly name: string;
  readonly level: string;
  /** Standard output when absent. */
  readonly file?: string;
  /** Instead of a file. */
  readonly stream?: DestinationStream;
}

/** Structured logs. A line about a request or an event carries its request id, trace and span (`scopeOf` of messaging). */
export const createLogger = ({ name, level, file, stream }: LoggerOptions): Logger =>
  pino(
    {
      level,
      base: { service: name },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: redact },
      // `redact` has made errors plain already.
      serializers: { err: (error: unknown) => error },
    },
    stream ?? destination(file),
  );

/** What Nest says about its own start goes to debug; its warnings and errors keep their level. */
export const nestLogger = (logger: Logger): LoggerService => {
  const fields = (rest: readonly unknown[]) => ({ nest: rest.filter((item) => item !== undefined) });
  return {
    log: (message: unknown, ...rest: unknown[]) => logger.debug(fields(rest), String(message)),
    debug: (message: unknown, ...rest: unknown[]) => logger.debug(fields(rest), String(message)),
    verbose: (message: unknown, ...rest: unknown[]) => logger.trace(fields(rest), String(message)),
    warn: (message: unknown, ...rest: unknown[]) => logger.warn(fields(rest), String(message)),
    error: (message: unknown, ...rest: unknown[]) => logger.error(fields(rest), String(message)),
    fatal: (message: unknown, ...rest: unknown[]) => logger.fatal(fields(rest), String(message)),
  };
};
