import { DomainError } from '@holdfast/decider';

/** What one volume type allows. A range absent means that the parameter can't be given. */
interface VolumeTypeLimits {
  readonly sizeGiB: { readonly minimum: number; readonly maximum: number };
  readonly iops?: {
    readonly minimum: number;
    readonly maximum: number;
    readonly perGiB: number;
    /** Absent: the request must say. Fewer IOPS than the default are raised to it. */
    readonly default?: number;
  };
  readonly throughputMiBps?: { readonly minimum: number; readonly maximum: number; readonly perIops: number };
}

/** @see Amazon EBS user guide, "Amazon EBS volume types"; gp3 as raised in 2025. */
const VOLUME_TYPES = {
  gp2: { sizeGiB: { minimum: 1, maximum: 16_384 } },
  gp3: {
    sizeGiB: { minimum: 1, maximum: 65_536 },
    iops: { minimum: 100, maximum: 80_000, perGiB: 500, default: 3_000 },
    throughputMiBps: { minimum: 125, maximum: 2_000, perIops: 0.25 },
  },
  io1: { sizeGiB: { minimum: 4, maximum: 16_384 }, iops: { minimum: 100, maximum: 64_000, perGiB: 50 } },
  io2: { sizeGiB: { minimum: 4, maximum: 65_536 }, iops: { minimum: 100, maximum: 256_000, perGiB: 1_000 } },
  st1: { sizeGiB: { minimum: 125, maximum: 16_384 } },
  sc1: { sizeGiB: { minimum: 125, maximum: 16_384 } },
  standard: { sizeGiB: { minimum: 1, maximum: 1_024 } },
} as const satisfies Record<string, VolumeTypeLimits>;

export type VolumeType = keyof typeof VOLUME_TYPES;

export type VolumeTypeErrorCode =
  | 'SizeOrSnapshotMissing'
  | 'VolumeTypeUnknown'
  | 'ValueNotPositive'
  | 'IopsMissing'
  | 'IopsNotSupported'
  | 'ThroughputNotSupported'
  | 'SizeTooSmall'
  | 'SizeTooLarge'
  | 'IopsTooLow'
  | 'IopsTooHigh'
  | 'Io2LimitsExceeded'
  | 'IopsRatioTooHigh'
  | 'ThroughputTooLow'
  | 'ThroughputTooHigh'
  | 'ThroughputRatioTooHigh'
  | 'MultiAttachNotSupported';

export interface VolumeTypeRequest {
  /** As sent; EC2 doesn't mind its case. Absent: gp2. */
  volumeType?: string;
  sizeGiB?: number;
  /** Size of the snapshot the volume is made from: a smaller request is raised to it. */
  snapshotSizeGiB?: number;
  iops?: number;
  throughputMiBps?: number;
  multiAttachEnabled?: boolean;
}

export interface VolumeConfiguration {
  volumeType: VolumeType;
  sizeGiB: number;
  /** Null where the type has no number to report. */
  iops: number | null;
  throughputMiBps: number | null;
  /** May be attached to several instances. Absent in events from before there was a choice. */
  multiAttachEnabled?: boolean;
}

const refuse = (code: VolumeTypeErrorCode, details: Record<string, unknown> = {}): never => {
  throw new DomainError(code, details);
};

const typeOf = (volumeType = 'gp2'): VolumeType => {
  const type = volumeType.toLowerCase();
  return Object.hasOwn(VOLUME_TYPES, type) ? (type as VolumeType) : refuse('VolumeTypeUnknown', { volumeType });
};

const checkPositive = (parameter: string, value: number | undefined): void => {
  if (value !== undefined && value < 1) refuse('ValueNotPositive', { parameter, value });
};

const checkSize = (volumeType: VolumeType, sizeGiB: number): void => {
  const { minimum, maximum } = VOLUME_TYPES[volumeType].sizeGiB;
  if (sizeGiB < minimum) refuse('SizeTooSmall', { volumeType, sizeGiB, minimum });
  // io2 has one refusal for all its limits.
  if (sizeGiB > maximum)
    refuse(volumeType === 'io2' ? 'Io2LimitsExceeded' : 'SizeTooLarge', { volumeType, sizeGiB, maximum });
};

const checkIops = (volumeType: VolumeType, limits: VolumeTypeLimits['iops'], iops: number, sizeGiB: number): number => {
  if (limits === undefined) return iops;
  const effective = Math.max(iops, limits.default ?? 0);
  const ratio = effective / sizeGiB;
  if (iops < limits.minimum) refuse('IopsTooLow', { iops, minimum: limits.minimum });
  if (volumeType === 'io2' && (effective > limits.maximum || ratio > limits.perGiB)) refuse('Io2LimitsExceeded');
  if (effective > limits.maximum) refuse('IopsTooHigh', { iops, maximum: limits.maximum });
  // The smallest gp3 volume has its 3,000 IOPS too.
  if (ratio > limits.perGiB && effective !== limits.default)
    refuse('IopsRatioTooHigh', { ratio, maximum: limits.perGiB });
  return effective;
};

/** gp2 has no knob: 3 IOPS for each GiB, between 100 and 16,000. */
const gp2Iops = (sizeGiB: number) => Math.min(16_000, Math.max(100, 3 * sizeGiB));

const checkThroughput = (limits: VolumeTypeLimits['throughputMiBps'], throughput: number, iops: number): void => {
  if (limits === undefined) return;
  if (throughput < limits.minimum) refuse('ThroughputTooLow', { throughput, minimum: limits.minimum });
  if (throughput > limits.maximum) refuse('ThroughputTooHigh', { throughput, maximum: limits.maximum });
  const ratio = throughput / iops;
  if (ratio > limits.perIops) refuse('ThroughputRatioTooHigh', { ratio, maximum: limits.perIops });
};

/** Types whose volumes several instances may share. */
export const supportsMultiAttach = (volumeType: VolumeType): boolean => volumeType === 'io1' || volumeType === 'io2';

/** EC2 looks at this after it has answered a dry run of CreateVolume. @throws DomainError VolumeTypeErrorCode */
export const checkMultiAttach = ({ volumeType, multiAttachEnabled = false }: VolumeConfiguration): void => {
  if (multiAttachEnabled && !supportsMultiAttach(volumeType)) refuse('MultiAttachNotSupported', { volumeType });
};

/**
 * Fills in what a request leaves open and checks it against its type, in the order in which EC2 does.
 * @throws DomainError VolumeTypeErrorCode
 */
export const volumeConfiguration = (request: VolumeTypeRequest): VolumeConfiguration => {
  const { sizeGiB: requestedGiB, snapshotSizeGiB, iops, throughputMiBps, multiAttachEnabled = false } = request;
  if (requestedGiB === undefined && snapshotSizeGiB === undefined) refuse('SizeOrSnapshotMissing');
  const volumeType = typeOf(request.volumeType);
  const limits: VolumeTypeLimits = VOLUME_TYPES[volumeType];
  checkPositive('size', requestedGiB);
  checkPositive('iops', iops);
  checkPositive('throughput', throughputMiBps);
  if (limits.iops === undefined && iops !== undefined) refuse('IopsNotSupported', { volumeType });
  if (limits.iops !== undefined && limits.iops.default === undefined && iops === undefined)
    refuse('IopsMissing', { volumeType });
  if (limits.throughputMiBps === undefined && throughputMiBps !== undefined)
    refuse('ThroughputNotSupported', { volumeType });
  const sizeGiB = Math.max(requestedGiB ?? 0, snapshotSizeGiB ?? 0);
  checkSize(volumeType, sizeGiB);
  if (limits.iops === undefined) {
    const ownIops = volumeType === 'gp2' ? gp2Iops(sizeGiB) : null;
    return { volumeType, sizeGiB, iops: ownIops, throughputMiBps: null, multiAttachEnabled };
  }
  const effectiveIops = checkIops(volumeType, limits.iops, iops ?? limits.iops.default ?? 0, sizeGiB);
  if (limits.throughputMiBps === undefined)
    return { volumeType, sizeGiB, iops: effectiveIops, throughputMiBps: null, multiAttachEnabled };
  const throughput = throughputMiBps ?? limits.throughputMiBps.minimum;
  checkThroughput(limits.throughputMiBps, throughput, effectiveIops);
  return { volumeType, sizeGiB, iops: effectiveIops, throughputMiBps: throughput, multiAttachEnabled };
};
