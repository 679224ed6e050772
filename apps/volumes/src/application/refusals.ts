import { DomainError } from '@holdfast/decider';
import type { EncryptionErrorCode } from '../domain/encryption-outcome.ts';
import type { VolumeErrorCode } from '../domain/volume-state.ts';
import type { VolumeQuotaErrorCode } from '../domain/volume-quotas.ts';
import type { VolumeTypeErrorCode } from '../domain/volume-type-limits.ts';

/** Refusals of this service that no decider makes. */
export type RequestErrorCode =
  | 'AttachmentLimitExceeded'
  | 'DeviceAbsent'
  | 'DeviceInUse'
  | 'DeviceNameInvalid'
  | 'EncryptionNotSupportedByInstanceType'
  | 'InstanceIdMalformed'
  | 'InstanceNotFound'
  | 'InstanceNotRunning'
  | 'IoAlreadyEnabled'
  | 'InitializationRateNotAllowed'
  | 'InitializationRateWithoutSnapshot'
  | 'KeyRevoked'
  | 'ModificationNotFound'
  | 'MultiAttachInstanceTypeUnsupported'
  | 'RootVolumeInUse'
  | 'SnapshotArchived'
  | 'SnapshotNotCompleted'
  | 'SnapshotNotFound'
  | 'VolumeIdMalformed'
  | 'ZoneAmbiguous'
  | 'ZoneMismatch'
  | 'ZoneMissing'
  | 'ZoneUnknown';

export type RefusalCode =
  VolumeErrorCode | VolumeTypeErrorCode | VolumeQuotaErrorCode | EncryptionErrorCode | RequestErrorCode;

export const refusal = (code: RefusalCode, details: Readonly<Record<string, unknown>> = {}): DomainError<RefusalCode> =>
  new DomainError(code, details);
