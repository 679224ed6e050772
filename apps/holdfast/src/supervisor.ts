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

/** Time, so that tests need not wait. */
const systemTime = { now: Date.now, pause: (ms: number): Promise<void> => sleep(ms) };

/**
 * Keeps a server running on one port: when it dies (kill -9, out of memory) it is started again, at most five times a
 * minute.
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

  const keepRunning = async (): Promise<void> => {
    for (;;) {
      await server.exited;
      if (stopping) return;
      hooks.onDeath(name);
      while (restarts.length > 0 && time.now() - (restarts[0] ?? 0) > WINDOW_MS) restarts.shift();
      if (restarts.length >= MAX_RESTARTS)
        return hooks.onGiveUp(name, new Error(`${name} ended ${MAX_RESTARTS + 1} times within a minute`));
      restarts.push(time.now());
      if (restarts.length > 1) await time.pause(PAUSE_MS);
      if (stopping) return;
      try {
        server = await start(server.port);
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
