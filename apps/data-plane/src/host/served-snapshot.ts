import { existsSync } from 'node:fs';
import { Manifest, patientStore, SnapshotDevice, StoreLayout } from '@holdfast/block-store';
import type { SectorCipher } from '@holdfast/crypto/xts';
import { type NbdServer, serveNbd } from '@holdfast/nbd';
import { HOST_ERRORS, type HostParams } from '../host-protocol.ts';
import { messageOf, type Peer, PeerError } from '../ipc.ts';
import { GUEST_REPEAT_MS, hostBlockStore } from './block-store.ts';
import { openDataKey } from './data-keys.ts';

const CLOSE_GRACE_MS = 2_000;

/** One completed snapshot that is read as a block device. */
export class ServedSnapshot {
  readonly #server: NbdServer;
  readonly #device: SnapshotDevice;
  readonly #cipher: SectorCipher | null;

  readonly #closing: AbortController;

  private constructor(
    server: NbdServer,
    device: SnapshotDevice,
    cipher: SectorCipher | null,
    closing: AbortController,
  ) {
    this.#closing = closing;
    this.#server = server;
    this.#device = device;
    this.#cipher = cipher;
  }

  /** @throws PeerError SnapshotNotFound, EncryptionMismatch, KmsKeyUnusable, WrongDataKey */
  static async open(peer: Peer, params: HostParams<'ServeSnapshot'>): Promise<ServedSnapshot> {
    const { root, snapshotId, socketPath, encrypted } = params;
    const layout = new StoreLayout(root);
    const paths = layout.snapshot(snapshotId);
    if (!existsSync(paths.manifest) || existsSync(paths.removed))
      throw new PeerError(HOST_ERRORS.snapshotNotFound, `snapshot ${snapshotId} is not on this host`);
    const manifest = Manifest.read(paths.manifest);
    const { dataKey } = manifest.header;
    if (encrypted !== (dataKey !== null))
      throw new PeerError('EncryptionMismatch', 'the snapshot is not encrypted as the caller says');
    const closing = new AbortController();
    const cipher = dataKey === null ? null : (await openDataKey(peer, 'source', dataKey.keyCheck)).cipher;
    try {
      const log = (level: 'info' | 'warn', message: string) =>
        peer.notify('Log', { level, message: `${snapshotId}: ${message}` });
      const store = patientStore(hostBlockStore(layout, { repeatMs: GUEST_REPEAT_MS }), {
        signal: closing.signal,
        log,
      });
      const device = new SnapshotDevice(manifest, store, cipher);
      const server = await serveNbd({
        listen: { socketPath },
        exports: (name) => (name === '' || name === snapshotId ? device : null),
        describe: () => snapshotId,
        onConnectionError: (error) => log('warn', `a client's connection ended: ${messageOf(error)}`),
      });
      return new ServedSnapshot(server, device, cipher, closing);
    } catch (error) {
      cipher?.destroy();
      throw error;
    }
  }

  /** @param forGood nothing takes this process's place. */
  async close(forGood: boolean): Promise<void> {
    this.#closing.abort();
    await this.#server.close({ graceMs: CLOSE_GRACE_MS, toReturn: !forGood }).finally(() => {
      this.#device.forget();
      this.#cipher?.destroy();
    });
  }
}
