import { setTimeout as sleep } from 'node:timers/promises';

export interface Server {
  readonly port: number;
  readonly pid: number;
  readonly exited: Promise<void>;
  stop(): Promise<void>;
}

export interface Supervised<S extends Server> {
  /** The server that runs now, or ran last. */
  current(): S;
  /** Ends the server and does not start it again. */
  stop(): Promise<void>;
}

export interface SupervisorHooks {
  /** After the server ended by itself, before it is started again. */
  onDeath(name: string): void;
  onRestart(name: string, server: Server): void;
  /** It does not stay up: nothing more is tried. */
  onGiveUp(name: string, reason: Error): void;
}

const MAX_RESTARTS = 5;
const WINDOW_MS = 60_000;
const PAUSE_MS = 200;
/** Between two tries to start what does not start: what died may still hold what the new one needs. */
const RETRY_PAUSE_MS = 1_000;

/** Time, so that tests need not wait. */
const systemTime = { now: Date.now, pause: (ms: number): Promise<void> => sleep(ms) };

/**
 * Keeps a server running on one port: when it dies (kill -9, out of memory) it is started again, with at most five tries
 * a minute.
 */
export const supervise = async <S extends Server>(
  name: string,
  start: (port?: number) => Promise<S>,
  hooks: SupervisorHooks,
  time = systemTime,
): Promise<Supervised<S>> => {
  let server = await start();
  let stopping = false;
  const restarts: number[] = [];

  /** Counts one try to start; false when there were too many within a minute. */
  const mayTry = (): boolean => {
    while (restarts.length > 0 && time.now() - (restarts[0] ?? 0) > WINDOW_MS) restarts.shift();
    if (restarts.length >= MAX_RESTARTS) return false;
    restarts.push(time.now());
    return true;
  };

  /** Null when it was stopped meanwhile. @throws the last failure when it does not start. */
  const startAgain = async (): Promise<S | null> => {
    for (;;) {
      try {
        return await start(server.port);
      } catch (error) {
        if (!mayTry()) throw error;
        await time.pause(RETRY_PAUSE_MS);
        if (stopping) return null;
      }
    }
  };

  const keepRunning = async (): Promise<void> => {
    for (;;) {
      await server.exited;
      if (stopping) return;
      hooks.onDeath(name);
      if (!mayTry()) return hooks.onGiveUp(name, new Error(`${name} ended ${MAX_RESTARTS + 1} times within a minute`));
      if (restarts.length > 1) await time.pause(PAUSE_MS);
      if (stopping) return;
      try {
        const started = await startAgain();
        if (started === null) return;
        server = started;
      } catch (error) {
        return hooks.onGiveUp(name, error as Error);
      }
      if (stopping) return server.stop();
      hooks.onRestart(name, server);
    }
  };
  const kept = keepRunning();

  return {
    current: () => server,
    stop: async () => {
      stopping = true;
      await server.stop();
      await kept; // A start that is under way ends first, and is undone.
    },
  };
};
