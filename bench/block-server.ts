// One volume behind an NBD server, in a process of its own as on a host; bench/block.ts starts it.
// Arguments: folder of the store, socket path, size in GiB, "plain" or the name of an XTS engine, and provisioned IOPS if any.
import { randomBytes } from 'node:crypto';
import {
  createEmptyVolume,
  FolderBlockStore,
  GuestDevice,
  limitsOf,
  StoreLayout,
  VolumeFile,
  VolumeLimiter,
} from '@holdfast/block-store';
import { DATA_UNIT_BYTES, nodeCryptoEngine, selectXtsEngine, XTS_KEY_BYTES } from '@holdfast/crypto/xts';
import { serveNbd } from '@holdfast/nbd';

const [folder = '', socketPath = '', size = '', cipherName = '', iops] = process.argv.slice(2);
const sizeGiB = Number(size);
const volumeId = 'vol-0123456789abcdef0';

const layout = new StoreLayout(folder);
createEmptyVolume(layout, { format: 1, volumeId, sizeGiB, dataKey: null, sourceSnapshotId: null });
const volume = new VolumeFile({ layout, volumeId, sizeGiB, store: new FolderBlockStore(`${folder}/blocks`) });
const engine = cipherName === nodeCryptoEngine.name ? nodeCryptoEngine : selectXtsEngine().engine;
const cipher = cipherName === 'plain' ? null : engine.createCipher(randomBytes(XTS_KEY_BYTES), DATA_UNIT_BYTES);
const limiter = new VolumeLimiter();
if (iops !== undefined) {
  limiter.set(limitsOf({ volumeType: 'io2', sizeGiB, iops: Number(iops), throughputMiBps: null }));
}
const device = limiter.device(new GuestDevice(volume, cipher));
const server = await serveNbd({ listen: { socketPath }, exports: (name) => (name === '' ? device : null) });
process.once('SIGTERM', () => void server.close().finally(() => process.exit()));
process.once('disconnect', () => process.exit()); // Whoever started us is gone.
process.send?.('ready');
