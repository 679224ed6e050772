import { GIB } from './geometry.ts';
import type { BucketSize } from './token-bucket.ts';

/** What a volume's type, size and provisioned numbers promise. */
export interface VolumePerformance {
  readonly volumeType: 'gp2' | 'gp3' | 'io1' | 'io2' | 'st1' | 'sc1' | 'standard';
  readonly sizeGiB: number;
  /** Provisioned; null where the type has no such number. */
  readonly iops: number | null;
  readonly throughputMiBps: number | null;
}

/** `operations` and `bytes` are what a volume does at its best; its credits are used up by doing more than its baseline. */
export interface VolumeLimits {
  /** A larger request counts as several operations. */
  readonly operationBytes: number;
  readonly operations: BucketSize;
  readonly bytes: BucketSize;
  readonly operationCredits?: BucketSize;
  readonly byteCredits?: BucketSize;
}

const KIB = 1024;
const MIB = 1024 * KIB;
/** What gathers at the full rate, in seconds: enough for timers of a millisecond, too little to be noticed. */
const SLACK_SECONDS = 0.05;
const SOLID_STATE_OPERATION_BYTES = 256 * KIB;
const HARD_DISK_OPERATION_BYTES = MIB;

const GP2 = { burstIops: 3_000, minimumIops: 100, maximumIops: 16_000, iopsPerGiB: 3, credits: 5_400_000 };
const GP3_BASE = { iops: 3_000, throughputMiBps: 125 };
/** MiB/s for each TiB, and the most that any size has. */
const ST1 = { baseline: 40, burst: 250, maximum: 500, iops: 500 };
const SC1 = { baseline: 12, burst: 80, maximum: 250, iops: 250 };
const MAGNETIC = { iops: 200, throughputMiBps: 90 };

const steady = (ratePerSecond: number, least: number): BucketSize => ({
  ratePerSecond,
  capacity: Math.max(least, ratePerSecond * SLACK_SECONDS),
});

const solidState = (iops: number, throughputMiBps: number): VolumeLimits => ({
  operationBytes: SOLID_STATE_OPERATION_BYTES,
  operations: steady(iops, 1),
  bytes: steady(throughputMiBps * MIB, SOLID_STATE_OPERATION_BYTES),
});

const gp2 = (sizeGiB: number): VolumeLimits => {
  const { burstIops, minimumIops, maximumIops, iopsPerGiB, credits } = GP2;
  const baseline = Math.min(maximumIops, Math.max(minimumIops, iopsPerGiB * sizeGiB));
  const limits = solidState(Math.max(baseline, burstIops), sizeGiB <= 170 ? 128 : 250);
  if (baseline >= burstIops) return limits;
  return { ...limits, operationCredits: { ratePerSecond: baseline, capacity: credits } };
};

/** Up to 32,000 IOPS with 256 KiB each, as far as 500 MiB/s; what is above has 16 KiB each. */
const io1Throughput = (iops: number): number => (iops <= 32_000 ? Math.min(500, iops / 4) : iops / 64);
const io2Throughput = (iops: number): number => Math.min(4_000, iops / 4);

const hardDisk = (sizeGiB: number, { baseline, burst, maximum, iops }: typeof ST1): VolumeLimits => {
  const sizeTiB = sizeGiB / 1024;
  const [baselineMiBps, burstMiBps] = [baseline, burst].map((perTiB) => Math.min(maximum, perTiB * sizeTiB)) as [
    number,
    number,
  ];
  return {
    operationBytes: HARD_DISK_OPERATION_BYTES,
    operations: steady(iops, 1),
    bytes: steady(burstMiBps * MIB, HARD_DISK_OPERATION_BYTES),
    byteCredits: { ratePerSecond: baselineMiBps * MIB, capacity: sizeGiB * GIB },
  };
};

/**
 * How much a volume of a type does, as AWS has it. A new volume's credits are full.
 * @see Amazon EBS user guide, "General Purpose SSD volumes", "Provisioned IOPS SSD volumes", "Throughput Optimized HDD and
 * Cold HDD volumes", "Previous generation volumes": for `standard` the upper ends of its ranges.
 */
export const limitsOf = ({ volumeType, sizeGiB, iops, throughputMiBps }: VolumePerformance): VolumeLimits => {
  const provisioned = iops ?? GP3_BASE.iops;
  switch (volumeType) {
    case 'gp2':
      return gp2(sizeGiB);
    case 'gp3':
      return solidState(provisioned, throughputMiBps ?? GP3_BASE.throughputMiBps);
    case 'io1':
      return solidState(provisioned, io1Throughput(provisioned));
    case 'io2':
      return solidState(provisioned, io2Throughput(provisioned));
    case 'st1':
      return hardDisk(sizeGiB, ST1);
    case 'sc1':
      return hardDisk(sizeGiB, SC1);
    case 'standard':
      return { ...solidState(MAGNETIC.iops, MAGNETIC.throughputMiBps), operationBytes: HARD_DISK_OPERATION_BYTES };
  }
};
