import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { StoreLayout } from '@holdfast/block-store';
import { AwsError, type InternalRequests, type RequestContext } from '@holdfast/contracts';
import type { Logger } from '@holdfast/service-kit';
import { asRefusal } from '../errors.ts';
import { HostProcess } from '../host-process.ts';
import {
  blockPutNotice,
  HOST_ERRORS,
  type KeySlot,
  openBlockSessionReply,
  serveBlocksReply,
} from '../host-protocol.ts';
import { PeerError } from '../ipc.ts';
import type { KmsKeys } from '../kms-keys.ts';

type Requests = InternalRequests['data-plane'];

export interface BlockTransfersOptions {
  readonly home: string;
  readonly layout: StoreLayout;
  readonly scriptPath: string;
  /** For hosts that need blocks: see `storeEnvironment`. */
  readonly storeEnvironment?: Readonly<Record<string, string>>;
  readonly keys: KmsKeys;
  readonly logger: Logger;
  /** `host:port`; undefined: a unix socket under `home`. */
  readonly blocksListen?: string;
  /** As which others reach `blocksListen`. */
  readonly blocksUrl?: string;
  /** A block of an upload is durable; `progress` as its client said. */
  readonly onPut: (snapshotId: string, progress: number | null) => void;
}

interface Serving {
  readonly host: HostProcess;
  readonly endpoint: string;
}

/** Keeps the process through which blocks of EBS direct go; it starts with the first session, and again if it dies. */
export class BlockTransfers {
  readonly #options: BlockTransfersOptions;
  #serving: Promise<Serving> | null = null;
  #sessions = 0;

  constructor(options: BlockTransfersOptions) {
    this.#options = options;
  }

  /** @throws AwsError KmsKeyUnusable (`kmsCode`), SnapshotNotFound, UploadClosed, EncryptionMismatch */
  async openSession(
    { snapshotId, operation, accountId, dataKey }: Requests['OpenBlockSession']['in'],
    { recipientPublicKey }: RequestContext,
  ): Promise<Requests['OpenBlockSession']['out']> {
    if (recipientPublicKey === undefined) throw new Error('a session needs somebody to seal its ticket key to');
    const { host, endpoint } = await this.#serve();
    const sessionId = randomUUID();
    const slot: KeySlot | undefined = dataKey === undefined ? undefined : `session-${String(this.#sessions++)}`;
    if (slot !== undefined && dataKey !== undefined) host.slots.set(slot, dataKey);
    try {
      const params = { sessionId, snapshotId, operation, accountId, slot, publicKey: recipientPublicKey };
      const { sealedTicketKey } = openBlockSessionReply.parse(await host.call('OpenBlockSession', params));
      return { sessionId, endpoint, sealedTicketKey };
    } catch (error) {
      const kmsCode = slot === undefined ? undefined : host.refused.get(slot);
      throw kmsCode === undefined ? asRefusal(error) : keyUnusable(error, kmsCode);
    } finally {
      if (slot !== undefined) {
        host.slots.delete(slot);
        host.refused.delete(slot);
      }
    }
  }

  /** After this no process has the upload's files open. */
  async closeBlocks(snapshotId: string): Promise<void> {
    const serving = await this.#serving?.catch(() => null);
    try {
      await serving?.host.call('CloseBlocks', { snapshotId });
    } catch (error) {
      if (serving?.host.isRunning === true) throw error;
    }
  }

  async close(): Promise<void> {
    const serving = await this.#serving?.catch(() => null);
    this.#serving = null;
    await serving?.host.close();
  }

  /** Development reset. */
  async kill(): Promise<void> {
    const serving = await this.#serving?.catch(() => null);
    this.#serving = null;
    serving?.host.kill();
    await serving?.host.exited;
  }

  #serve(): Promise<Serving> {
    const serving = (this.#serving ??= this.#start());
    serving.catch(() => {
      if (this.#serving === serving) this.#serving = null;
    });
    return serving;
  }

  async #start(): Promise<Serving> {
    const { scriptPath, storeEnvironment, keys, logger, layout, home, blocksListen, blocksUrl, onPut } = this.#options;
    const host = new HostProcess({
      ...{ scriptPath, storeEnvironment, keys, logger },
      onNotice: (name, value) => {
        const notice = name === 'BlockPut' ? blockPutNotice.safeParse(value) : undefined;
        if (notice?.success === true) onPut(notice.data.snapshotId, notice.data.progress);
      },
      onExit: () => (this.#serving = null),
    });
    const path = join(home, 'blocks.sock');
    const listen = blocksListen === undefined ? { path } : hostAndPort(blocksListen);
    try {
      const { port } = serveBlocksReply.parse(await host.call('ServeBlocks', { root: layout.root, listen }));
      const endpoint = port === null ? `unix:${path}` : (blocksUrl ?? `tcp://127.0.0.1:${String(port)}`);
      return { host, endpoint };
    } catch (error) {
      host.kill();
      throw error;
    }
  }
}

const hostAndPort = (text: string): { host: string; port: number } => {
  const at = text.lastIndexOf(':');
  return { host: text.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port: Number(text.slice(at + 1)) };
};

const keyUnusable = (error: unknown, kmsCode: string): AwsError => {
  const message = error instanceof PeerError ? error.message : '';
  return new AwsError({ code: HOST_ERRORS.keyUnusable, message, members: { kmsCode } });
};
