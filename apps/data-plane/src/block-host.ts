/**
 * A process of its own for one open volume, for one exported snapshot, for one copy between two keys, or for the blocks of EBS direct: the only place
 * where plaintext data keys are, and gone with them when it ends. It is driven by the data plane's service over Node's IPC channel and ends with it.
 */
import type { z } from 'zod';
import type { TlsFront } from '@holdfast/nbd';
import { type HostRequest, hostRequests } from './host-protocol.ts';
import { BlockServer } from './host/block-server.ts';
import { openDataKey } from './host/data-keys.ts';
import { OpenVolume } from './host/open-volume.ts';
import { ServedSnapshot } from './host/served-snapshot.ts';
import { openTlsFront } from './host/tls-front.ts';
import { copyUnderOtherKey, restoreUnderOtherKey } from './host/re-encrypt.ts';
import { Peer, PeerError } from './ipc.ts';

const abort = new AbortController();
let volume: OpenVolume | null = null;
let blocks: BlockServer | null = null;
let snapshot: ServedSnapshot | null = null;
let front: TlsFront | null = null;

const needVolume = (): OpenVolume => {
  if (volume === null) throw new PeerError('NoVolume', 'no volume is open in this process');
  return volume;
};

const needBlocks = (): BlockServer => {
  if (blocks === null) throw new PeerError('NotServing', 'this process takes no blocks');
  return blocks;
};

type Handlers = { [Name in HostRequest]: (params: z.infer<(typeof hostRequests)[Name]>) => Promise<unknown> };

const handlers: Handlers = {
  ProveKey: async ({ slot }) => ({ keyCheck: (await openDataKey(peer, slot)).keyCheck }),
  OpenVolume: async ({ root, volumeId, io }) => {
    if (volume !== null) throw new PeerError('VolumeBusy', 'a volume is open in this process already');
    volume = await OpenVolume.open(peer, { root, volumeId, io });
    return { backgroundNeeded: volume.backgroundNeeded };
  },
  Attach: ({ socketPath, encrypted }) => {
    const open = needVolume();
    if (encrypted !== (open.header.dataKey !== null)) {
      throw new PeerError('EncryptionMismatch', 'the volume is not encrypted as the caller says');
    }
    return open.attach(socketPath);
  },
  Detach: ({ socketPath }) => needVolume().detach(socketPath),
  Freeze: async ({ snapshotId, held = false }) => {
    return { heldMs: await needVolume().freeze(snapshotId, held) };
  },
  Hold: () => needVolume().hold(),
  Release: () => Promise.resolve(needVolume().release()),
  SetPerformance: ({ performance }) => Promise.resolve(needVolume().setPerformance(performance)),
  SetFaults: ({ faults }) => Promise.resolve(needVolume().setFaults(faults)),
  LosePower: async () => {
    await needVolume().losePower();
    process.kill(process.pid, 'SIGKILL');
  },
  Initialization: () => Promise.resolve(needVolume().initialization()),
  Grow: ({ sizeGiB }) => Promise.resolve(needVolume().grow(sizeGiB)),
  Close: async ({ forGood }) => {
    await close(forGood);
    setImmediate(() => process.disconnect());
  },
  ServeBlocks: async (params) => {
    if (blocks !== null) throw new PeerError('AlreadyServing', 'this process takes blocks already');
    const { server, port } = await BlockServer.listen(peer, params);
    blocks = server;
    return { port };
  },
  OpenBlockSession: (params) => needBlocks().openSession(params),
  CloseBlocks: ({ snapshotId }) => needBlocks().closeBlocks(snapshotId),
  Stats: () => Promise.resolve(volume?.stats() ?? { engine: null, exports: [] }),
  ServeTls: async (params) => {
    if (front !== null) throw new PeerError('AlreadyServing', 'this process takes connections already');
    front = await openTlsFront(peer, params);
    return { port: front.address.port };
  },
  ServeSnapshot: async (params) => {
    if (snapshot !== null) throw new PeerError('AlreadyServing', 'this process serves a snapshot already');
    snapshot = await ServedSnapshot.open(peer, params);
  },
  ReEncryptSnapshot: (params) => copyUnderOtherKey(peer, params, abort.signal),
  ReEncryptVolume: (params) => restoreUnderOtherKey(peer, params),
};

const checked = Object.fromEntries(
  Object.entries(handlers).map(([name, handler]) => [
    name,
    (params: unknown) => (handler as (input: unknown) => unknown)(hostRequests[name as HostRequest].parse(params)),
  ]),
);

const peer = new Peer(
  {
    send: (message) => {
      process.send?.(message, undefined, undefined, () => undefined);
    },
    onMessage: (listener) => process.on('message', listener),
    onClose: (listener) => process.on('disconnect', listener),
  },
  checked,
);

let closing: Promise<void> | null = null;
const close = (forGood = false): Promise<void> => {
  abort.abort();
  closing ??= Promise.all([volume?.close(forGood), blocks?.close(), snapshot?.close(forGood), front?.close()]).then(
    () => undefined,
  );
  return closing;
};

const end = () => {
  close().then(
    () => process.exit(0),
    (error: unknown) => {
      process.stderr.write(`cannot close: ${String(error)}\n`);
      process.exit(1);
    },
  );
};

// Without its service, nobody could close it or give it a key again.
process.on('disconnect', end);
process.on('SIGTERM', end);
// Ctrl-C reaches every process of a terminal; the service decides when its hosts end.
process.on('SIGINT', () => undefined);
if (process.send === undefined) {
  process.stderr.write('a block host is started by the data plane\n');
  process.exit(2);
}
