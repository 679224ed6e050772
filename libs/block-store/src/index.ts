export { archiveSize, type ArchiveWork, restoreArchive, writeArchive, writeIndexArchive } from './archive.ts';
export { type BackingFile, openNodeFile, type OpenFile } from './backing-file.ts';
export { BackgroundWork } from './background.ts';
export { Bitmap } from './bitmap.ts';
export type { BlockDevice, SectorCipher, SyncDevice } from './block-device.ts';
export { BlockJournal, journalLength } from './block-journal.ts';
export { blockStoreSettings, blockStoreVariables, s3SettingsSchema } from './block-store-settings.ts';
export {
  BlockDamaged,
  type BlockStore,
  type DirectBlockStore,
  digestOf,
  digestOfSync,
  FolderBlockStore,
} from './block-store.ts';
export {
  BlockUpload,
  createUpload,
  finishUpload,
  readUpload,
  requestCompletion,
  type UploadCompletion,
  type UploadJob,
} from './block-upload.ts';
export { assertDirectIo } from './direct-file.ts';
export { DevicePool, type DevicePoolOptions, NoDeviceLeft } from './device-pool.ts';
export { makeDirectory, syncDirectory, writeFileDurably } from './durable-files.ts';
export { EncryptedDevice, reEncryptUnits } from './encrypted-device.ts';
export { type FaultPlan, InjectedFaults } from './fault-injection.ts';
export { discardJobFiles, Freeze, type FreezeJob } from './freeze.ts';
export { type Collected, collectGarbage } from './garbage.ts';
export { BLOCK_SIZE_BYTES, GIB, MAX_VOLUME_GIB, UNIT_SIZE_BYTES, UNITS_PER_BLOCK } from './geometry.ts';
export { ChangeGate, GatedDevice } from './gated-device.ts';
export { GuestDevice } from './guest-device.ts';
export { type SnapshotPaths, StoreLayout, type VolumePaths } from './layout.ts';
export { blockCount, type KeyReference, Manifest, ManifestDamaged, type ManifestHeader } from './manifest.ts';
export { lockVolume, VolumeLocked } from './process-lock.ts';
export {
  type CipherPair,
  type CopyJob,
  createCopyJob,
  reEncryptIntoVolume,
  reEncryptSnapshot,
} from './re-encryption.ts';
export { type ObjectStore, StoreUnavailable } from './object-store.ts';
export { openBlockStore, openObjects } from './open-block-store.ts';
export { patientStore } from './patient-store.ts';
export { rebuildIndex, type RebuiltIndex } from './rebuild-index.ts';
export type { S3Settings } from './s3-objects.ts';
export { SegmentBlockStore } from './segment-block-store.ts';
export { assertOwnStore, claimStore, ForeignStore, readClaim, takeOverStore } from './store-claim.ts';
export {
  getIndex,
  INDEX_KINDS,
  indexHere,
  type IndexKind,
  isWhole,
  listIndexes,
  putIndex,
  removeIndexes,
  type StoredIndex,
} from './stored-indexes.ts';
export { SnapshotDevice } from './snapshot-device.ts';
export { type Finding, isLoss, type Verification, verifyStore } from './verify.ts';
export { deviceCapacityBytes, devicePointer, type VolumeIo } from './volume-data.ts';
export { volumeDeviceSettings, type VolumeDeviceSettings, volumeDeviceVariables } from './volume-device-settings.ts';
export { VolumeFile, type VolumeFileOptions } from './volume-file.ts';
export {
  createEmptyVolume,
  createRestoredVolume,
  finishGrowth,
  growVolume,
  isKeyOf,
  keyCheckOf,
  readVolumeHeader,
  removeVolumeFiles,
  type VolumeHeader,
} from './volume-header.ts';
export { type BurstCredits, LimitedDevice, VolumeLimiter } from './volume-limiter.ts';
export { VolumeMap } from './volume-map.ts';
export { limitsOf, type VolumeLimits, type VolumePerformance } from './volume-performance.ts';
