import recorded from './ebs-optimized.json' with { type: 'json' };
import type { InstanceType } from './instance-types.ts';

/** What a type gives its volumes together, at all times and for a while each day. */
export interface EbsOptimizedPerformance {
  readonly baselineMbps: number;
  readonly maximumMbps: number;
  readonly baselineMBps: number;
  readonly maximumMBps: number;
  readonly baselineIops: number;
  readonly maximumIops: number;
}

export interface EbsOptimization {
  /** `default`: always, `supported`: if the launch asks for it. */
  readonly support: 'default' | 'supported' | 'unsupported';
  /** Null: AWS tells of none. */
  readonly performance: EbsOptimizedPerformance | null;
}

/**
 * As AWS answers DescribeInstanceTypes; the recording is moto's (Apache License 2.0,
 * ec2/resources/instance_types.json), and g2.2xlarge, which AWS tells no more of, as in the EC2 user guide.
 */
const RECORDED: Readonly<Record<string, readonly number[]>> = recorded;

/** Optional on the larger sizes of the generation before Nitro's. */
const OPTIONAL = /^(c1|c3|g2|i2|m1|m2|m3|r3)\./;

const performanceOf = (name: string): EbsOptimizedPerformance | null => {
  const [baselineMbps, maximumMbps, baselineMBps, maximumMBps, baselineIops, maximumIops] = RECORDED[name] ?? [];
  if (baselineMbps === undefined || maximumMbps === undefined || baselineMBps === undefined) return null;
  if (maximumMBps === undefined || baselineIops === undefined || maximumIops === undefined) return null;
  return { baselineMbps, maximumMbps, baselineMBps, maximumMBps, baselineIops, maximumIops };
};

export const ebsOptimization = ({ name, hypervisor }: Pick<InstanceType, 'name' | 'hypervisor'>): EbsOptimization => {
  const performance = performanceOf(name);
  if (OPTIONAL.test(name)) return { support: performance === null ? 'unsupported' : 'supported', performance };
  return { support: performance !== null || hypervisor === 'nitro' ? 'default' : 'unsupported', performance };
};
