import recorded from './instance-types.json' with { type: 'json' };

/** What a type gives its volumes together, at all times and for a while each day. */
export interface EbsOptimizedPerformance {
  readonly baselineMbps: number;
  readonly maximumMbps: number;
  readonly baselineMBps: number;
  readonly maximumMBps: number;
  readonly baselineIops: number;
  readonly maximumIops: number;
}

/** As DescribeInstanceTypes tells of it. @see EC2 API, InstanceTypeInfo */
export interface InstanceType {
  readonly name: string;
  /** That of its cards for volumes where there is no hypervisor. */
  readonly hypervisor: 'nitro' | 'xen';
  readonly bareMetal: boolean;
  readonly burstable: boolean;
  readonly currentGeneration: boolean;
  readonly architectures: readonly string[];
  readonly virtualizationTypes: readonly string[];
  readonly vcpus: number;
  readonly cores: number;
  readonly threadsPerCore: number;
  readonly memoryMiB: number;
  readonly nvmeSupport: 'unsupported' | 'supported' | 'required';
  /** Volumes that can be attached, the root volume included. */
  readonly maximumEbsAttachments: number;
  /** Whether network interfaces count as well. */
  readonly attachmentLimitType: 'shared' | 'dedicated';
  readonly ebsEncryptionSupported: boolean;
  /** `default`: always, `supported`: if the launch asks for it. */
  readonly ebsOptimizedSupport: 'default' | 'supported' | 'unsupported';
  /** Null: AWS tells of none. */
  readonly ebsOptimized: EbsOptimizedPerformance | null;
}

/**
 * By type: what it is, in words, then vCPUs, cores, MiB of memory, volumes, and of volumes' performance baseline and
 * maximum Mbit/s, baseline and maximum IOPS, and baseline MB/s where AWS tells other than an eighth of the Mbit/s.
 *
 * As AWS answers DescribeInstanceTypes. The recording is moto's (Apache License 2.0, ec2/resources/instance_types.json),
 * the newest that has the type; where that is older than the limits of attachments, 27 volumes for Nitro, 40 for Xen,
 * 39 for cc2. cc1, cg1, cr1, hi1 and hs1 are older than any recording and as in the EC2 user guide.
 */
const RECORDED: Readonly<Record<string, readonly (string | number)[]>> = recorded;

const ARCHITECTURES: readonly string[] = ['i386', 'x86_64', 'arm64', 'x86_64_mac', 'arm64_mac'];

/** The guide of 2022, which the recording, being younger, does not tell any more. @see EC2 user guide, EBS encryption */
const WITHOUT_EBS_ENCRYPTION = /^(t1|m1|m2|c1|cc1|cc2|cg1|cr1(?!\.8xlarge$)|hi1|hs1)\./;

const performanceOf = (numbers: readonly number[]): EbsOptimizedPerformance | null => {
  const [baselineMbps, maximumMbps, baselineIops, maximumIops, baselineMBps] = numbers;
  if (baselineMbps === undefined || maximumMbps === undefined) return null;
  if (baselineIops === undefined || maximumIops === undefined) return null;
  return {
    baselineMbps,
    maximumMbps,
    baselineMBps: baselineMBps ?? baselineMbps / 8,
    maximumMBps: maximumMbps / 8,
    baselineIops,
    maximumIops,
  };
};

const nvmeSupport = (words: readonly string[]): InstanceType['nvmeSupport'] => {
  if (!words.includes('xen')) return 'required';
  return words.includes('nvme') ? 'supported' : 'unsupported';
};

const typeOf = ([name, row]: readonly [string, readonly (string | number)[]]): InstanceType => {
  const words = String(row[0]).split(' ');
  const [vcpus = 0, cores = 0, memoryMiB = 0, maximumEbsAttachments = 0, ...ebs] = row.slice(1).map(Number);
  const ebsOptimized = performanceOf(ebs);
  const optimizable = words.includes('optimizable') ? 'supported' : 'default';
  return {
    name,
    hypervisor: words.includes('xen') ? 'xen' : 'nitro',
    bareMetal: words.includes('metal'),
    burstable: words.includes('burstable'),
    currentGeneration: !words.includes('previous'),
    architectures: words.filter((word) => ARCHITECTURES.includes(word)),
    virtualizationTypes: words.includes('paravirtual') ? ['hvm', 'paravirtual'] : ['hvm'],
    vcpus,
    cores,
    threadsPerCore: vcpus / cores,
    memoryMiB,
    nvmeSupport: nvmeSupport(words),
    maximumEbsAttachments,
    attachmentLimitType: words.includes('dedicated') ? 'dedicated' : 'shared',
    ebsEncryptionSupported: !WITHOUT_EBS_ENCRYPTION.test(name),
    ebsOptimizedSupport: ebsOptimized === null ? 'unsupported' : optimizable,
    ebsOptimized,
  };
};

const INSTANCE_TYPES: ReadonlyMap<string, InstanceType> = new Map(
  Object.entries(RECORDED)
    .map(typeOf)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((type) => [type.name, type]),
);

/** By name. */
export const allInstanceTypes = (): InstanceType[] => [...INSTANCE_TYPES.values()];

export const instanceType = (name: string): InstanceType | null => INSTANCE_TYPES.get(name) ?? null;

/** Enhanced networking by ENA is what the Nitro types have. */
export const isEnaSupported = (name: string): boolean => instanceType(name)?.hypervisor === 'nitro';
