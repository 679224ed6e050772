import type { Instant } from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';
import {
  checkMultiAttach,
  type VolumeConfiguration,
  volumeConfiguration,
  type VolumeTypeRequest,
} from './volume-type-limits.ts';

/** EC2's rule: at most 4 modifications of a volume within 24 hours. */
export const MAX_MODIFICATIONS = 4;
const MODIFICATION_WINDOW_MS = 24 * 60 * 60 * 1000;

/** Its latest modification, as far as the next decision needs it. */
export interface Modification {
  readonly state: 'modifying' | 'optimizing' | 'completed' | 'failed';
  readonly original: VolumeConfiguration;
  readonly target: VolumeConfiguration;
  readonly startedAt: Instant;
}

/** What ModifyVolume asks to change; what is left out stays as it is, or follows from the new type. */
export type ModificationRequest = Omit<VolumeTypeRequest, 'snapshotSizeGiB'>;

/** Provisioned IOPS when the request names a new type and no number. */
const DEFAULT_PROVISIONED_IOPS = 3_000;
const GP3_BASE_IOPS = 3_000;

/** A gp2 volume becomes a gp3 volume that is no slower; any other gp3 begins with gp3's own defaults. */
const performanceOf = (current: VolumeConfiguration, volumeType: string, request: ModificationRequest) => {
  const same = volumeType === current.volumeType;
  if (volumeType === 'io1' || volumeType === 'io2')
    return { iops: request.iops ?? (same ? (current.iops ?? undefined) : DEFAULT_PROVISIONED_IOPS) };
  if (volumeType !== 'gp3') return { iops: request.iops };
  const fromGp2 = current.volumeType === 'gp2';
  const kept = fromGp2 ? Math.max(GP3_BASE_IOPS, current.iops ?? 0) : GP3_BASE_IOPS;
  const iops = request.iops ?? (same ? (current.iops ?? kept) : kept);
  const derived = fromGp2 ? Math.min(250, Math.max(125, Math.ceil((current.iops ?? 0) / 4))) : undefined;
  return { iops, throughputMiBps: same ? (current.throughputMiBps ?? undefined) : derived };
};

/** A shared io1 volume stays what it is, an io2 one an io2 volume; whether it is shared is changed on io2 volumes only. */
const checkShared = (current: VolumeConfiguration, target: VolumeConfiguration): void => {
  const { multiAttachEnabled: was = false, volumeType } = current;
  const { multiAttachEnabled: becomes = false } = target;
  if (volumeType === 'io1' && (was || becomes)) throw new DomainError('MultiAttachIo1Fixed', {});
  checkMultiAttach(target);
  if (was && becomes && target.volumeType !== volumeType) throw new DomainError('MultiAttachTypeFixed', {});
};

/** Whether a modification is about who may share the volume. */
export const changesSharing = ({ original, target }: Pick<Modification, 'original' | 'target'>): boolean =>
  (original.multiAttachEnabled ?? false) !== (target.multiAttachEnabled ?? false);

/**
 * The configuration that a volume is to have. A request for what it has already is a modification too.
 * @throws DomainError SizeShrunk | MultiAttachIo1Fixed | MultiAttachTypeFixed | VolumeTypeErrorCode
 */
export const modifiedConfiguration = (
  current: VolumeConfiguration,
  request: ModificationRequest,
): VolumeConfiguration => {
  const { sizeGiB = current.sizeGiB } = request;
  const volumeType = request.volumeType?.toLowerCase() ?? current.volumeType;
  if (sizeGiB > 0 && sizeGiB < current.sizeGiB) throw new DomainError('SizeShrunk', {});
  const { iops, throughputMiBps } = performanceOf(current, volumeType, request);
  const target = volumeConfiguration({
    volumeType,
    sizeGiB,
    iops,
    throughputMiBps: request.throughputMiBps ?? throughputMiBps,
    multiAttachEnabled: request.multiAttachEnabled ?? current.multiAttachEnabled,
  });
  checkShared(current, target);
  return target;
};

/** @param times when earlier modifications began, oldest first. @returns null when another may begin at `at`. */
export const nextModificationAt = (times: readonly Instant[], at: Instant): Instant | null => {
  const now = Date.parse(at);
  const recent = times.filter((time) => Date.parse(time) > now - MODIFICATION_WINDOW_MS);
  const [blocking] = recent.slice(-MAX_MODIFICATIONS);
  if (recent.length < MAX_MODIFICATIONS || blocking === undefined) return null;
  return new Date(Date.parse(blocking) + MODIFICATION_WINDOW_MS).toISOString() as Instant;
};
