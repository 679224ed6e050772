/** Nobody answered before the request's deadline; whether its effect happened is unknown. */
export class RequestTimeout extends Error {
  override readonly name = 'RequestTimeout';
  constructor(
    readonly service: string,
    readonly action: string,
    readonly requestId: string,
  ) {
    super(`${service} did not answer ${action} before its deadline`);
  }
}

/** The connection to the broker broke while an answer was waited for; whether the request's effect happened is unknown. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
  constructor(
    readonly service: string,
    readonly action: string,
    readonly requestId: string,
  ) {
    super(`the connection was lost while ${service} was asked to ${action}`);
  }
}

/** The request was not started: nobody serves the subject, or whoever does has too much to do. Safe to send again. */
export class ServiceUnavailable extends Error {
  override readonly name = 'ServiceUnavailable';
  constructor(
    readonly service: string,
    readonly action: string,
    readonly requestId: string,
    readonly reason: string,
  ) {
    super(`${service} cannot take ${action}: ${reason}`);
  }
}

/** A bug or an outage behind a request. Its cause is in the log of the service that served it, under `requestId`. */
export class InternalError extends Error {
  override readonly name = 'InternalError';
  constructor(
    readonly requestId: string,
    /** True when the same request may succeed later, e.g. after a VersionConflict. */
    readonly retryable: boolean,
    message = 'An internal error has occurred',
  ) {
    super(message);
  }
}

/** A request or reply is larger than the broker takes. */
export class PayloadTooLarge extends Error {
  override readonly name = 'PayloadTooLarge';
  constructor(
    readonly sizeBytes: number,
    readonly limitBytes: number,
  ) {
    super(`a message of ${String(sizeBytes)} bytes exceeds the bus's limit of ${String(limitBytes)} bytes`);
  }
}

/** Of Node's sockets, and Postgres' own for "connection lost", "too many connections" and "shutting down". */
const OUTAGE_CODE = /^(?:ECONN(?:REFUSED|RESET|ABORTED)|EPIPE|ETIMEDOUT|EAI_AGAIN|08\d{3}|53300|57P0[1-3])$/;

/** Whether `error` says that something else is away: trying again later is all there is to do. */
export const isOutage = (error: unknown): boolean => {
  if (error instanceof ServiceUnavailable || error instanceof ConnectionLost) return true;
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' && OUTAGE_CODE.test(code);
};

export const errorText = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${error.message}` : String(error);
