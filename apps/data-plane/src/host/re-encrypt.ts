import { Manifest, reEncryptIntoVolume, reEncryptSnapshot, StoreLayout } from '@holdfast/block-store';
import type { HostParams } from '../host-protocol.ts';
import type { Peer } from '../ipc.ts';
import { hostBlockStore } from './block-store.ts';
import { openDataKey } from './data-keys.ts';

/** The ciphers go with the process. */
const openBoth = async (peer: Peer, sourceCheck: string | undefined, sourceEncrypted: boolean, wrapAgain = false) => {
  const target = await openDataKey(peer, 'target', undefined, wrapAgain);
  const source = sourceEncrypted ? await openDataKey(peer, 'source', sourceCheck) : null;
  return {
    ciphers: { from: source?.cipher ?? null, to: target.cipher },
    keyCheck: target.keyCheck,
    rewrapped: target.rewrapped,
  };
};

/** Runs a copy job, both of whose keys are only in this process. */
export const copyUnderOtherKey = async (
  peer: Peer,
  { root, snapshotId, header, sourceEncrypted, target, ownContext }: HostParams<'ReEncryptSnapshot'>,
  signal: AbortSignal,
): Promise<void> => {
  const layout = new StoreLayout(root);
  const paths = layout.snapshot(snapshotId);
  const { dataKey } = Manifest.read(paths.base).header;
  const wrapAgain = ownContext !== undefined;
  const { ciphers, keyCheck, rewrapped } = await openBoth(peer, dataKey?.keyCheck, sourceEncrypted, wrapAgain);
  const own =
    rewrapped === undefined || ownContext === undefined
      ? target
      : { ...target, encryptedDataKey: rewrapped, encryptionContext: ownContext };
  const store = hostBlockStore(layout);
  await reEncryptSnapshot(paths, { ...header, dataKey: { ...own, keyCheck } }, ciphers, store, signal);
};

/** Fills a volume from a snapshot under another key. */
export const restoreUnderOtherKey = async (
  peer: Peer,
  { root, volumeId, sizeGiB, sourceSnapshotId, sourceEncrypted, target }: HostParams<'ReEncryptVolume'>,
): Promise<void> => {
  const layout = new StoreLayout(root);
  const { manifest } = layout.snapshot(sourceSnapshotId);
  const { dataKey } = Manifest.read(manifest).header;
  const { ciphers, keyCheck } = await openBoth(peer, dataKey?.keyCheck, sourceEncrypted);
  const header = { format: 1, volumeId, sizeGiB, dataKey: { ...target, keyCheck }, sourceSnapshotId } as const;
  await reEncryptIntoVolume(layout, header, manifest, ciphers, hostBlockStore(layout));
};
