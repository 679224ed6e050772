import { DomainError } from '@holdfast/decider';
import type { SnapshotErrorCode } from '../domain/snapshot.decider.ts';

export type RefusalCode =
  | SnapshotErrorCode
  | 'AttributeMissing'
  | 'AttributeUnknown'
  | 'ConcurrentCopiesExceeded'
  | 'ConcurrentSnapshotsExceeded'
  | 'DescriptionNotAscii'
  | 'DescriptionTooLong'
  | 'DestinationRegionMismatch'
  | 'PermissionEntryInvalid'
  | 'RegionUnknown'
  | 'SnapshotInUse'
  | 'SnapshotRateExceeded'
  | 'VolumeNotFound'
  | 'VolumeNotReady';

export const refusal = (code: RefusalCode, details: Readonly<Record<string, unknown>> = {}): DomainError<RefusalCode> =>
  new DomainError(code, details);
