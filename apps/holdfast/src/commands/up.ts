import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, isPortFree } from '@holdfast/embedded';
import { banner } from '../banner.ts';
import type { Config } from '../config.ts';
import { UserError } from '../errors.ts';
import { homePaths, openHome } from '../home.ts';
import { takeLock } from '../lock.ts';
import { LOOPBACK, type LoadService } from '../services.ts';
import { createStack, type Stack } from '../stack.ts';

export interface UpOptions {
  readonly config: Config;
  readonly ephemeral: boolean;
  /** As NATS_URL in the environment. */
  readonly natsUrl?: string;
  readonly loadService: LoadService;
  print(text: string): void;
  /** One line about something the user should know. */
  report(line: string): void;
}

const FORCED_EXIT_CODE = 130;
/** npm passes on the Ctrl-C that the terminal has sent to us as well: within this time it is the same one. */
const ECHO_MS = 400;

const choosePort = async (wanted: number): Promise<number> => {
  if (wanted === 0) return freePort(LOOPBACK);
  if (await isPortFree(wanted, LOOPBACK)) return wanted;
  throw new UserError(
    `port ${wanted} on ${LOOPBACK} is taken by another program: choose another with --port or HOLDFAST_PORT (0: any free one)`,
  );
};

/**
 * `end` resolves at the first request to end: a signal, or an error that nobody else handles. A second signal ends this
 * process at once.
 */
const listenForEnd = (report: (line: string) => void, abandon: () => void) => {
  let askedAt: number | undefined;
  let resolveEnd: (reason: Error | undefined) => void = () => undefined;
  const end = new Promise<Error | undefined>((resolve) => (resolveEnd = resolve));
  const onSignal = () => {
    if (askedAt === undefined) {
      askedAt = Date.now();
      report('stopping; once more to stop at once');
      return resolveEnd(undefined);
    }
    if (Date.now() - askedAt < ECHO_MS) return;
    abandon();
    process.exit(FORCED_EXIT_CODE);
  };
  const onError = (error: unknown) => resolveEnd(error instanceof Error ? error : new Error(String(error)));
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal).on('SIGHUP', onSignal);
  process.on('uncaughtException', onError).on('unhandledRejection', onError);
  const off = () => {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal).off('SIGHUP', onSignal);
    process.off('uncaughtException', onError).off('unhandledRejection', onError);
  };
  return { end, fail: onError, off };
};

const run = async (options: UpOptions, home: string, begunAt: number): Promise<void> => {
  const { config, ephemeral, natsUrl, loadService, print, report } = options;
  const port = await choosePort(config.port);
  const { end, fail, off } = listenForEnd(report, () => stack.abandon());
  const { logLevel, pkcs11, limits, blockStore, nbdTls, devices, requests } = config;
  const stack: Stack = createStack({
    home,
    port,
    logLevel,
    pkcs11,
    limits,
    host: { blockStore, nbdTls, ...devices },
    requests,
    durable: !ephemeral,
    natsUrl,
    loadService,
    report,
    onFailure: fail,
  });
  try {
    const starting = stack.start().then(() => 'ready' as const);
    const first = await Promise.race([starting, end]);
    await starting; // Also after an early Ctrl-C: only what has started can be stopped in order.
    if (first === 'ready') {
      if (stack.missing.length > 0) report(`this build has no ${stack.missing.join(', ')}`);
      print(banner({ endpoint: stack.endpoint, home, ephemeral, startMs: Date.now() - begunAt }));
    }
    const failure = await end;
    if (failure !== undefined) throw failure;
  } finally {
    await stack.stop();
    off();
  }
};

/**
 * Runs the whole stack in this process until it is asked to end.
 * @throws UserError and EmbeddedServerError for what the user can mend.
 */
export const up = async (options: UpOptions): Promise<void> => {
  const begunAt = Date.now();
  const home = openHome(options.ephemeral ? mkdtempSync(join(tmpdir(), 'holdfast-')) : options.config.home);
  try {
    const unlock = takeLock(
      homePaths(home).lock,
      (pid) => `a stack already runs on ${home} (process ${pid}): stop it, or set HOLDFAST_HOME to another folder`,
    );
    try {
      await run(options, home, begunAt);
    } finally {
      unlock();
    }
  } finally {
    if (options.ephemeral) rmSync(home, { recursive: true, force: true });
  }
};
