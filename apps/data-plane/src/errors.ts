import { AwsError } from '@holdfast/contracts';
import { HOST_ERRORS } from './host-protocol.ts';
import { PeerError } from './ipc.ts';

/** Codes with which the data plane refuses requests; callers tell them apart by these. */
export const REFUSALS = [
  HOST_ERRORS.keyUnusable,
  HOST_ERRORS.wrongKey,
  HOST_ERRORS.volumeNotFound,
  'EncryptionMismatch',
  'InProgress',
  'InsufficientVolumeCapacity',
  'InvalidDevice',
  'NothingToLose',
  'SetIncomplete',
  'SnapshotDamaged',
  'TooManyExports',
  HOST_ERRORS.snapshotNotFound,
  HOST_ERRORS.uploadClosed,
  'VolumeBusy',
  'VolumeExists',
] as const;
export type RefusalCode = (typeof REFUSALS)[number];

export const refusal = (code: RefusalCode, message: string): AwsError => new AwsError({ code, message });

/** What a block host refused, in words for the bus; everything else stays an internal error. */
export const asRefusal = (error: unknown): unknown => {
  if (!(error instanceof PeerError)) return error;
  const code = REFUSALS.find((known) => known === error.code);
  return code === undefined ? error : refusal(code, error.message);
};
