import { DecryptCommand } from '@aws-sdk/client-kms';
import { FolderBlockStore, type KeyReference, Manifest, readVolumeHeader, StoreLayout } from '@holdfast/block-store';
import { createDecipheriv } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestAccount } from './account.ts';

/** What is encrypted by itself, in bytes. */
export const UNIT_BYTES = 4096;

/** The first unit of a volume or snapshot as it lies on disk, and the wrapped data key that lies beside it. */
export interface StoredUnit {
  readonly bytes: Buffer;
  readonly dataKey: KeyReference | null;
}

const layoutOf = (home: string) => new StoreLayout(join(home, 'data-plane'));

export const storedUnitOfVolume = async (home: string, volumeId: string): Promise<StoredUnit> => {
  const layout = layoutOf(home);
  const file = await open(layout.volume(volumeId).data);
  const bytes = Buffer.alloc(UNIT_BYTES);
  await file.read(bytes, 0, UNIT_BYTES, 0);
  await file.close();
  return { bytes, dataKey: readVolumeHeader(layout, volumeId)?.dataKey ?? null };
};

export const storedUnitOfSnapshot = async (home: string, snapshotId: string): Promise<StoredUnit> => {
  const layout = layoutOf(home);
  const manifest = Manifest.read(layout.snapshot(snapshotId).manifest);
  const [first] = manifest;
  if (first?.[0] !== 0) throw new Error(`${snapshotId} has no first block`);
  const block = await new FolderBlockStore(layout.blocks).get(first[1]);
  return { bytes: block.subarray(0, UNIT_BYTES), dataKey: manifest.header.dataKey };
};

/** A volume's first unit as the data key opens it that this KMS key, and no other, unwraps. */
export const decryptedUnit = async (
  { kms }: TestAccount,
  { bytes, dataKey }: StoredUnit,
  keyArn: string,
): Promise<Buffer> => {
  if (dataKey === null) throw new Error('not encrypted');
  const CiphertextBlob = Buffer.from(dataKey.encryptedDataKey, 'base64');
  const EncryptionContext = { ...dataKey.encryptionContext };
  const { Plaintext = [] } = await kms.send(new DecryptCommand({ KeyId: keyArn, CiphertextBlob, EncryptionContext }));
  // The tweak is the unit's position, which is zero.
  return createDecipheriv('aes-256-xts', Buffer.from(Plaintext), Buffer.alloc(16)).update(bytes);
};
