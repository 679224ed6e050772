import type { Instant, InstanceId, VolumePerformanceRecord, WrappedDataKey } from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';
import type { Tags } from '@holdfast/ec2';
import type { VolumeCommand } from './volume.commands.ts';
import type { VolumeCreated, VolumeEvent } from './volume.events.ts';
import type { Modification } from './volume-modification.ts';
import type { VolumeConfiguration } from './volume-type-limits.ts';

export type CommandOf<Type extends VolumeCommand['type']> = Extract<VolumeCommand, { type: Type }>;
export type Decision = readonly VolumeEvent[];

export interface Attachment {
  readonly instanceId: InstanceId;
  readonly hostId: string;
  readonly device: string;
  readonly deleteOnTermination: boolean;
  readonly isRoot: boolean;
  /** Attached, and its device closed while the instance is stopped. */
  readonly suspended: boolean;
  readonly status: 'attaching' | 'attached' | 'detaching';
  /** Null until KMS made it, and for a volume that is not encrypted. */
  readonly grantId: string | null;
  /** When detached the volume is to be deleted. */
  readonly deleteVolume: boolean;
  readonly startedAt: Instant;
  /** The latest request by which the device was to open again, and did not. */
  readonly failedRequestId: string | null;
}

/** What the next decision needs, and what work that was begun needs to be finished. */
export interface VolumeState {
  /** `gone`: deleted, or its creation failed. Attached is `in-use` from the moment that attaching starts. */
  readonly status: 'absent' | 'creating' | 'available' | 'in-use' | 'recycled' | 'deleting' | 'gone';
  /** When the Recycle Bin lets it go; null: it is not there. */
  readonly exitsAt: Instant | null;
  /** No retention rule keeps it. */
  readonly retentionWaived: boolean;
  readonly created: VolumeCreated | null;
  /** All blocks of its snapshot are there, and it was noted. */
  readonly initialized: boolean;
  readonly dataKey: WrappedDataKey | null;
  readonly sourceDataKey: WrappedDataKey | null;
  /** EBS's own grant, while there is one. */
  readonly grantId: string | null;
  /** In the order in which they began; more than one only with Multi-Attach. */
  readonly attachments: readonly Attachment[];
  /** Why the latest attachment failed; null when it did not, or none was tried since. */
  readonly attachmentFailure: string | null;
  /** Why there is no volume, where its creation failed. */
  readonly creationFailure: string | null;
  /** Null until the volume is created. */
  readonly configuration: VolumeConfiguration | null;
  /** The latest one. */
  readonly modification: Modification | null;
  /** When the latest ones began, oldest first: no more than the limit on them needs. */
  readonly modificationTimes: readonly Instant[];
  readonly autoEnableIo: boolean;
  readonly tags: Tags;
}

export type VolumeErrorCode =
  | 'VolumeAlreadyExists'
  | 'VolumeNotFound'
  | 'VolumeNotCreating'
  | 'VolumeNotAvailable'
  | 'VolumeNotInBin'
  | 'VolumeInUse'
  | 'VolumeAlreadyAttached'
  | 'VolumeNotAttached'
  | 'AttachmentNotFound'
  | 'AttachmentNotStarted'
  | 'InstanceIdMissing'
  | 'MultiAttachIo1Fixed'
  | 'MultiAttachInUse'
  | 'MultiAttachLimitExceeded'
  | 'MultiAttachTypeFixed'
  | 'BootVolumeTypeUnsupported'
  | 'ModificationRateExceeded'
  | 'ModificationUnfinished'
  | 'SizeShrunk'
  | 'VolumeNotModifiable'
  | 'TagLimitExceeded';

export const attachmentOf = ({ attachments }: VolumeState, instanceId: InstanceId): Attachment | undefined =>
  attachments.find((attachment) => attachment.instanceId === instanceId);

/** What the volume's host holds it to; undefined: it is not there. */
export const performanceOf = (configuration: VolumeState['configuration']): VolumePerformanceRecord | undefined => {
  if (configuration === null) return undefined;
  const { volumeType, sizeGiB, iops, throughputMiBps } = configuration;
  return { volumeType, sizeGiB, iops, throughputMiBps };
};

export const isShared = ({ configuration }: VolumeState): boolean => configuration?.multiAttachEnabled ?? false;

export const refuse = (code: VolumeErrorCode, details: Record<string, unknown>): never => {
  throw new DomainError(code, details);
};
