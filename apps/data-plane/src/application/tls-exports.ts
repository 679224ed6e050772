import type { NbdTlsSettings } from '@holdfast/nbd';
import type { Logger } from '@holdfast/service-kit';
import { HostProcess } from '../host-process.ts';
import { locateParams, serveTlsReply } from '../host-protocol.ts';
import { messageOf } from '../ipc.ts';
import type { KmsKeys } from '../kms-keys.ts';

const RESTART_MS = 1_000;

export interface TlsExportsOptions {
  readonly settings: NbdTlsSettings | null;
  readonly scriptPath: string;
  readonly keys: KmsKeys;
  readonly logger: Logger;
  /** @returns the socket that serves a volume to one of those whom a certificate is for. */
  readonly locate: (name: string, identities: readonly string[]) => string | null;
}

/** Keeps the process through which guests elsewhere reach volumes: it ends their TLS and sees what they read and write, but no key. */
export class TlsExports {
  readonly #options: TlsExportsOptions;
  #host: HostProcess | null = null;
  #closing = false;

  constructor(options: TlsExportsOptions) {
    this.#options = options;
  }

  /** @throws Error when the address or a file can't be used. */
  async start(): Promise<void> {
    const { settings, scriptPath, keys, logger, locate } = this.#options;
    if (settings === null) return;
    const host = new HostProcess({
      ...{ scriptPath, keys, logger },
      handlers: {
        Locate: (params) => {
          const { name, identities } = locateParams.parse(params);
          return { socketPath: locate(name, identities) };
        },
      },
      onExit: () => this.#restartLater(host),
    });
    try {
      const { listen, ...paths } = settings;
      const at = listen.lastIndexOf(':');
      const address = { host: listen.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port: Number(listen.slice(at + 1)) };
      const { port } = serveTlsReply.parse(await host.call('ServeTls', { ...address, ...paths }));
      logger.info({ port }, 'volumes are served over TLS');
      this.#host = host;
    } catch (error) {
      host.kill();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closing = true;
    await this.#host?.close();
  }

  #restartLater(host: HostProcess): void {
    if (this.#closing || this.#host !== host) return;
    this.#host = null;
    const again = () => {
      if (this.#closing) return;
      this.start().catch((error: unknown) => {
        this.#options.logger.warn({ reason: messageOf(error) }, 'cannot serve over TLS yet');
        setTimeout(again, RESTART_MS).unref();
      });
    };
    setTimeout(again, RESTART_MS).unref();
  }
}
