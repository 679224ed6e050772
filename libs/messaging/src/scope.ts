import { AsyncLocalStorage } from 'node:async_hooks';

/** What every log line of a piece of work carries. */
export interface WorkScope {
  readonly requestId: string;
  readonly traceId: string;
  readonly spanId: string;
  /** The action of a request, or `<consumer>/<event type>`. */
  readonly work: string;
}

const scopes = new AsyncLocalStorage<WorkScope>();

/** Runs `work` so that `currentScope` answers `scope` in everything it awaits. */
export const inScope = <Result>(scope: WorkScope, work: () => Result): Result => scopes.run(scope, work);

/** The request or delivery being worked on, for loggers. */
export const currentScope = (): WorkScope | undefined => scopes.getStore();
