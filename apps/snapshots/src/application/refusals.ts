import { DomainError } from '@holdfast/decider';
import type { SnapshotErrorCode } from '../domain/snapshot.decider.ts';

export type RefusalCode =
  | SnapshotErrorCode
  | 'ArchivedSnapshotsExceeded'
  | 'AttributeMissing'
  | 'AttributeUnknown'
  | 'ConcurrentArchivalsExceeded'
  | 'ConcurrentCopiesExceeded'
  | 'ConcurrentRestoresExceeded'
  | 'ConcurrentSnapshotsExceeded'
  | 'DescriptionNotAscii'
  | 'DescriptionTooLong'
  | 'DestinationRegionMismatch'
  | 'FastRestoresExceeded'
  | 'InstanceIdMalformed'
  | 'InstanceNotFound'
  | 'PermissionEntryInvalid'
  | 'RegionUnknown'
  | 'RootVolumeExcluded'
  | 'SnapshotInUse'
  | 'SnapshotLimitExceeded'
  | 'SnapshotRateExceeded'
  | 'VolumeNotAttached'
  | 'VolumeNotFound'
  | 'VolumeNotReady';

export const refusal = (code: RefusalCode, details: Readonly<Record<string, unknown>> = {}): DomainError<RefusalCode> =>
  new DomainError(code, details);
