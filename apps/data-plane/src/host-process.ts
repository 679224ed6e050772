import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { DataKeyUse } from '@holdfast/contracts';
import type { Logger } from '@holdfast/service-kit';
import type { HostParams, HostRequest, KeySlot } from './host-protocol.ts';
import { noticeSchema, unwrapParams } from './host-protocol.ts';
import { Peer, PeerError, type PeerHandlers } from './ipc.ts';
import { type KmsKeys, KmsRefused } from './kms-keys.ts';

/** Enough for queue depth 32 without starving the digests (design/data-plane.md measured 16). */
const THREAD_POOL_SIZE = '16';
/** A host that does not end by itself in so many milliseconds is killed; it must first flush the volume. */
const CLOSE_TIMEOUT_MS = 30_000;

/** Wrapped data keys by the name under which a host may ask for them. */
export type KeySlots = Iterable<readonly [KeySlot, DataKeyUse]>;

export interface HostOptions {
  readonly scriptPath: string;
  readonly keys: KmsKeys;
  readonly logger: Logger;
  /** By which it finds its object store, if there is one: see `storeEnvironment`. */
  readonly storeEnvironment?: Readonly<Record<string, string>> | undefined;
  /** Wrapped keys that this host may have unwrapped, and for whom. */
  readonly slots?: KeySlots;
  readonly onIdle?: () => void;
  readonly onNotice?: (name: string, value: unknown) => void;
  readonly onExit?: () => void;
  /** What else it may ask. */
  readonly handlers?: PeerHandlers;
}

/** One block host, from the service's side. */
export class HostProcess {
  readonly exited: Promise<void>;
  readonly slots: Map<KeySlot, DataKeyUse>;
  /** KMS's error codes, by the slot of the key that it would not unwrap. */
  readonly refused = new Map<KeySlot, string>();
  readonly #child: ChildProcess;
  readonly #peer: Peer;
  #running = true;

  constructor(options: HostOptions) {
    const { scriptPath, keys, logger, storeEnvironment = {}, slots = [], onIdle, onNotice, onExit, handlers } = options;
    this.slots = new Map(slots);
    // The shell takes core dumps away, for they would hold the data key, and becomes node. The kernel pipes them to a program
    // whatever the limit is (core(5)); so what is left to dump has no memory in it.
    const script = 'ulimit -c 0 && { { echo 0 > /proc/self/coredump_filter; } 2> /dev/null || :; } && exec "$0" "$@"';
    this.#child = spawn('/bin/sh', ['-c', script, process.execPath, '--enable-source-maps', scriptPath], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      serialization: 'json',
      env: { ...storeEnvironment, PATH: process.env['PATH'], UV_THREADPOOL_SIZE: THREAD_POOL_SIZE },
    });
    const child = this.#child;
    this.#peer = new Peer(
      {
        send: (message) => void child.send(message as object, () => undefined),
        onMessage: (listener) => child.on('message', listener),
        onClose: (listener) => child.on('disconnect', listener).on('exit', listener).on('error', listener),
      },
      {
        ...handlers,
        Unwrap: async (params) => {
          const { slot, publicKey } = unwrapParams.parse(params);
          const use = this.slots.get(slot);
          if (use === undefined) throw new PeerError('NoSuchKey', `this host has no ${slot} key`);
          try {
            return await keys.unwrap(use, publicKey);
          } catch (error) {
            if (error instanceof KmsRefused) this.refused.set(slot, error.kmsCode);
            throw error;
          }
        },
      },
      (name, value) => {
        if (name === 'Idle') onIdle?.();
        onNotice?.(name, value);
        const notice = name === 'Log' ? noticeSchema.safeParse(value) : undefined;
        if (notice?.success) logger[notice.data.level]({ host: child.pid }, notice.data.message);
      },
    );
    if (child.stderr !== null) {
      createInterface({ input: child.stderr }).on('line', (line) => logger.error({ host: child.pid }, line));
    }
    this.exited = new Promise((resolve) => {
      const ended = () => {
        if (!this.#running) return;
        this.#running = false;
        resolve();
        onExit?.();
      };
      child.once('exit', ended).once('error', ended);
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get isRunning(): boolean {
    return this.#running;
  }

  /** @throws PeerError */
  call<Name extends HostRequest>(name: Name, params: HostParams<Name>): Promise<unknown> {
    return this.#peer.call(name, params);
  }

  /** Flushes and ends; killed if it does not. @param forGood what it serves is gone; else its guests wait for the next one. */
  async close({ forGood = false }: { forGood?: boolean } = {}): Promise<void> {
    const timer = setTimeout(() => this.kill(), CLOSE_TIMEOUT_MS);
    await this.call('Close', { forGood }).catch(() => this.kill());
    await this.exited;
    clearTimeout(timer);
  }

  kill(): void {
    if (this.#running) this.#child.kill('SIGKILL');
  }
}
