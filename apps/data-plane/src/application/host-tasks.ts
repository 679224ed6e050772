import type { ManifestHeader, StoreLayout } from '@holdfast/block-store';
import type { DataKeyUse } from '@holdfast/contracts';
import type { Logger } from '@holdfast/service-kit';
import { HostProcess, type KeySlots } from '../host-process.ts';
import { type HostParams, type KeySlot, proveKeyReply, wrapParams } from '../host-protocol.ts';
import { PeerError, type PeerHandlers } from '../ipc.ts';
import { type KmsKeys, KmsRefused } from '../kms-keys.ts';

export interface HostTasksOptions {
  readonly layout: StoreLayout;
  readonly scriptPath: string;
  /** For hosts that need blocks: see `storeEnvironment`. */
  readonly storeEnvironment?: Readonly<Record<string, string>>;
  readonly keys: KmsKeys;
  readonly logger: Logger;
}

/** The prover ends after so many milliseconds without work; it keeps no key in between. */
const PROVER_IDLE_MS = 10_000;

/** Work with plaintext keys that no open volume is needed for, done in processes of its own. */
export class HostTasks {
  readonly #options: HostTasksOptions;
  readonly #running = new Set<HostProcess>();
  #prover: HostProcess | null = null;
  #proofs = 0;
  #proverTimer: NodeJS.Timeout | undefined;

  constructor(options: HostTasksOptions) {
    this.#options = options;
  }

  /** Has KMS unwrap a data key once. @returns its check value. @throws KmsRefused; PeerError WrongDataKey */
  async proveKey(use: DataKeyUse): Promise<string> {
    clearTimeout(this.#proverTimer);
    if (this.#prover?.isRunning !== true) this.#prover = this.#start([]);
    const prover = this.#prover;
    const slot: KeySlot = `proof-${this.#proofs++}`;
    prover.slots.set(slot, use);
    try {
      return proveKeyReply.parse(await prover.call('ProveKey', { slot })).keyCheck;
    } catch (error) {
      const kmsCode = prover.refused.get(slot);
      throw kmsCode !== undefined && error instanceof PeerError ? new KmsRefused(kmsCode, error.message) : error;
    } finally {
      prover.slots.delete(slot);
      prover.refused.delete(slot);
      if (prover.slots.size === 0 && prover === this.#prover) this.#endProverLater(prover);
    }
  }

  /** @throws PeerError KmsKeyUnusable, WrongDataKey, BlockDamaged, ManifestDamaged */
  async reEncryptVolume(
    volume: { volumeId: string; sizeGiB: number; sourceSnapshotId: string },
    source: DataKeyUse | undefined,
    target: DataKeyUse,
  ): Promise<void> {
    const params: HostParams<'ReEncryptVolume'> = {
      ...volume,
      root: this.#options.layout.root,
      sourceEncrypted: source !== undefined,
      target,
    };
    await this.#alone(slotsOf(source, target), (host) => host.call('ReEncryptVolume', params));
  }

  /**
   * @param ownContext to have the target's data key wrapped again in.
   * @throws PeerError as reEncryptVolume
   */
  async reEncryptSnapshot(
    header: Omit<ManifestHeader, 'dataKey'>,
    source: DataKeyUse | undefined,
    target: DataKeyUse,
    signal: AbortSignal,
    ownContext?: Record<string, string>,
  ): Promise<void> {
    const params: HostParams<'ReEncryptSnapshot'> = {
      root: this.#options.layout.root,
      snapshotId: header.snapshotId,
      header,
      sourceEncrypted: source !== undefined,
      target,
      ownContext,
    };
    const handlers = ownContext === undefined ? {} : this.#wrapping(target, ownContext);
    await this.#alone(slotsOf(source, target), (host) => host.call('ReEncryptSnapshot', params), signal, handlers);
  }

  /** Ends whatever runs; it goes on where it stopped when it is asked for again. */
  async killAll(): Promise<void> {
    clearTimeout(this.#proverTimer);
    for (const host of this.#running) host.kill();
    await Promise.all([...this.#running].map(({ exited }) => exited));
  }

  #endProverLater(prover: HostProcess): void {
    clearTimeout(this.#proverTimer);
    this.#proverTimer = setTimeout(() => {
      this.#prover = null;
      void prover.close();
    }, PROVER_IDLE_MS).unref();
  }

  /** A host may have no other data key wrapped than its target's, and in no other encryption context. */
  #wrapping(target: DataKeyUse, ownContext: Record<string, string>): PeerHandlers {
    const { keys } = this.#options;
    return {
      WrappingKey: () => keys.wrappingKey(target),
      Wrap: async (params) => ({
        encryptedDataKey: await keys.wrap(target, wrapParams.parse(params).sealed, ownContext),
      }),
    };
  }

  #start(slots: KeySlots, handlers: PeerHandlers = {}): HostProcess {
    const { scriptPath, storeEnvironment, keys, logger } = this.#options;
    const onExit = () => this.#running.delete(host);
    const host = new HostProcess({ scriptPath, storeEnvironment, keys, logger, slots, onExit, handlers });
    this.#running.add(host);
    return host;
  }

  async #alone(
    slots: KeySlots,
    work: (host: HostProcess) => Promise<unknown>,
    signal?: AbortSignal,
    handlers?: PeerHandlers,
  ): Promise<void> {
    signal?.throwIfAborted();
    const host = this.#start(slots, handlers);
    const onAbort = () => host.kill();
    signal?.addEventListener('abort', onAbort);
    try {
      await work(host);
      await host.close();
    } finally {
      signal?.removeEventListener('abort', onAbort);
      host.kill();
      await host.exited;
    }
  }
}

const slotsOf = (source: DataKeyUse | undefined, target: DataKeyUse): KeySlots => [
  ['target', target],
  ...(source === undefined ? [] : [['source', source] as const]),
];
