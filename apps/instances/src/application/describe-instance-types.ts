import type { ec2 } from '@holdfast/aws-protocol';
import { AwsError, type RequestContext } from '@holdfast/contracts';
import {
  cutPage,
  dryRunOperation,
  pageSize,
  type PageTokens,
  type RecordFilters,
  recordFilter,
  refuseParameters,
} from '@holdfast/ec2';
import { allInstanceTypes, type EbsOptimizedPerformance, type InstanceType } from '../domain/instance-types.ts';

const MAX_PAGE = 100;

const encryptionSupport = ({ ebsEncryptionSupported }: InstanceType) =>
  ebsEncryptionSupported ? 'supported' : 'unsupported';

/** Bare metal has none. */
const hypervisorOf = ({ bareMetal, hypervisor }: InstanceType) => (bareMetal ? [] : [hypervisor]);

/** A filter on what a type gives its volumes. */
const optimized =
  (value: (performance: EbsOptimizedPerformance) => number) =>
  ({ ebsOptimized }: InstanceType) =>
    ebsOptimized === null ? [] : [String(value(ebsOptimized))];

/** Of Amazon's images for these processors. */
const bootModes = ({ architectures }: InstanceType): ec2.BootModeType[] => [
  ...(architectures.includes('arm64') ? (['uefi'] as const) : []),
  ...(architectures.some((name) => name !== 'arm64') ? (['legacy-bios'] as const) : []),
];

/** One interface with one address, and no IPv6. */
const networkOf = ({ hypervisor }: InstanceType) =>
  ({
    MaximumNetworkInterfaces: 1,
    MaximumNetworkCards: 1,
    DefaultNetworkCardIndex: 0,
    Ipv4AddressesPerInterface: 1,
    Ipv6AddressesPerInterface: 0,
    Ipv6Supported: false,
    EnaSupport: hypervisor === 'nitro' ? 'required' : 'unsupported',
    EfaSupported: false,
    EncryptionInTransitSupported: false,
    FlexibleEnaQueuesSupport: 'unsupported',
  }) as const;

/** What nothing here has, whatever AWS's types have. */
const FEATURES = {
  AutoRecoverySupported: false,
  DedicatedHostsSupported: false,
  FreeTierEligible: false,
  HibernationSupported: false,
  InstanceStorageSupported: false,
  NitroEnclavesSupport: 'unsupported',
  NitroTpmSupport: 'unsupported',
  RebootMigrationSupport: 'unsupported',
} as const;

const feature = (name: keyof typeof FEATURES) => () => [String(FEATURES[name])];
const network = (name: keyof ReturnType<typeof networkOf>) => (type: InstanceType) => [String(networkOf(type)[name])];
const none = () => [];

/** @see DescribeInstanceTypes, "Filters" */
export const FILTERS: RecordFilters<InstanceType> = {
  'auto-recovery-supported': feature('AutoRecoverySupported'),
  'bare-metal': ({ bareMetal }) => [String(bareMetal)],
  'burstable-performance-supported': ({ burstable }) => [String(burstable)],
  'current-generation': ({ currentGeneration }) => [String(currentGeneration)],
  'ebs-info.attachment-limit-type': ({ attachmentLimitType }) => [attachmentLimitType],
  'ebs-info.ebs-optimized-info.baseline-bandwidth-in-mbps': optimized(({ baselineMbps }) => baselineMbps),
  'ebs-info.ebs-optimized-info.baseline-iops': optimized(({ baselineIops }) => baselineIops),
  'ebs-info.ebs-optimized-info.baseline-throughput-in-mbps': optimized(({ baselineMBps }) => baselineMBps),
  'ebs-info.ebs-optimized-info.maximum-bandwidth-in-mbps': optimized(({ maximumMbps }) => maximumMbps),
  'ebs-info.ebs-optimized-info.maximum-iops': optimized(({ maximumIops }) => maximumIops),
  'ebs-info.ebs-optimized-info.maximum-throughput-in-mbps': optimized(({ maximumMBps }) => maximumMBps),
  'ebs-info.ebs-optimized-support': ({ ebsOptimizedSupport }) => [ebsOptimizedSupport],
  'ebs-info.encryption-support': (type) => [encryptionSupport(type)],
  'ebs-info.maximum-ebs-attachments': (type) => [String(type.maximumEbsAttachments)],
  'ebs-info.nvme-support': (type) => [type.nvmeSupport],
  'dedicated-hosts-supported': feature('DedicatedHostsSupported'),
  'free-tier-eligible': feature('FreeTierEligible'),
  'hibernation-supported': feature('HibernationSupported'),
  hypervisor: hypervisorOf,
  'instance-storage-info.disk.count': none,
  'instance-storage-info.disk.size-in-gb': none,
  'instance-storage-info.disk.type': none,
  'instance-storage-info.encryption-support': none,
  'instance-storage-info.nvme-support': none,
  'instance-storage-info.total-size-in-gb': none,
  'instance-storage-supported': feature('InstanceStorageSupported'),
  'instance-type': (type) => [type.name],
  'memory-info.size-in-mib': ({ memoryMiB }) => [String(memoryMiB)],
  'network-info.bandwidth-weightings': none,
  'network-info.efa-info.maximum-efa-interfaces': none,
  'network-info.efa-supported': network('EfaSupported'),
  'network-info.ena-support': network('EnaSupport'),
  'network-info.encryption-in-transit-supported': network('EncryptionInTransitSupported'),
  'network-info.flexible-ena-queues-support': network('FlexibleEnaQueuesSupport'),
  'network-info.ipv4-addresses-per-interface': network('Ipv4AddressesPerInterface'),
  'network-info.ipv6-addresses-per-interface': network('Ipv6AddressesPerInterface'),
  'network-info.ipv6-supported': network('Ipv6Supported'),
  'network-info.maximum-network-cards': network('MaximumNetworkCards'),
  'network-info.maximum-network-interfaces': network('MaximumNetworkInterfaces'),
  'network-info.network-performance': none,
  'nitro-enclaves-support': feature('NitroEnclavesSupport'),
  'nitro-tpm-info.supported-versions': none,
  'nitro-tpm-support': feature('NitroTpmSupport'),
  'processor-info.supported-architecture': ({ architectures }) => [...architectures],
  'processor-info.supported-features': none,
  'processor-info.sustained-clock-speed-in-ghz': none,
  'reboot-migration-support': feature('RebootMigrationSupport'),
  'supported-boot-mode': bootModes,
  'supported-root-device-type': () => ['ebs'],
  'supported-usage-class': () => ['on-demand'],
  'supported-virtualization-type': ({ virtualizationTypes }) => [...virtualizationTypes],
  'vcpu-info.default-cores': ({ cores }) => [String(cores)],
  'vcpu-info.default-threads-per-core': ({ threadsPerCore }) => [String(threadsPerCore)],
  'vcpu-info.default-vcpus': ({ vcpus }) => [String(vcpus)],
  'vcpu-info.valid-cores': ({ cores }) => [String(cores)],
  'vcpu-info.valid-threads-per-core': ({ threadsPerCore }) => [String(threadsPerCore)],
};

/** What volumes depend on, processors and memory, and the network that there is here; other members are left out. */
export class DescribeInstanceTypes {
  constructor(private readonly tokens: PageTokens) {}

  run(input: ec2.DescribeInstanceTypesRequest, context: RequestContext): ec2.DescribeInstanceTypesResult {
    const { InstanceTypes: names = [], Filters, MaxResults, NextToken, DryRun, ...rest } = input;
    refuseParameters({ ...rest });
    if (DryRun === true) throw dryRunOperation();
    const limit = pageSize(
      { MaxResults, NextToken },
      { maximum: MAX_PAGE, ids: names, idsParameter: 'instanceTypeSet' },
    );
    const all = allInstanceTypes();
    const unknown = names.filter((name) => !all.some((type) => type.name === name));
    if (unknown.length > 0)
      throw new AwsError({
        code: 'InvalidInstanceType',
        message: `The following supplied instance types do not exist: [${unknown.join(', ')}]`,
      });
    const { accountId, region } = context;
    const scope = { accountId, region, action: 'DescribeInstanceTypes' };
    const after = NextToken === undefined ? '' : this.tokens.read(scope, NextToken);
    const matches = recordFilter(Filters, FILTERS);
    const wanted = all.filter(
      (type) => type.name > after && (names.length === 0 || names.includes(type.name)) && matches(type),
    );
    const { items, next } = cutPage(wanted.slice(0, limit + 1), limit, described, ({ name }) => name);
    return { InstanceTypes: items, NextToken: next === null ? undefined : this.tokens.issue(scope, next) };
  }
}

const processorsAndMemory = (type: InstanceType): Partial<ec2.InstanceTypeInfo> => ({
  VCpuInfo: {
    ...{ DefaultVCpus: type.vcpus, DefaultCores: type.cores, DefaultThreadsPerCore: type.threadsPerCore },
    // A launch can ask for no other.
    ...{ ValidCores: [type.cores], ValidThreadsPerCore: [type.threadsPerCore] },
  },
  MemoryInfo: { SizeInMiB: type.memoryMiB },
  ProcessorInfo: { SupportedArchitectures: type.architectures as ec2.ArchitectureType[] },
});

const optimizedInfo = (type: InstanceType): Pick<ec2.EbsInfo, 'EbsOptimizedSupport' | 'EbsOptimizedInfo'> => {
  const { ebsOptimizedSupport, ebsOptimized } = type;
  if (ebsOptimized === null) return { EbsOptimizedSupport: ebsOptimizedSupport };
  const { baselineMbps, maximumMbps, baselineMBps, maximumMBps, baselineIops, maximumIops } = ebsOptimized;
  return {
    EbsOptimizedSupport: ebsOptimizedSupport,
    EbsOptimizedInfo: {
      BaselineBandwidthInMbps: baselineMbps,
      BaselineThroughputInMBps: baselineMBps,
      BaselineIops: baselineIops,
      MaximumBandwidthInMbps: maximumMbps,
      MaximumThroughputInMBps: maximumMBps,
      MaximumIops: maximumIops,
    },
  };
};

const described = (type: InstanceType): ec2.InstanceTypeInfo => ({
  InstanceType: type.name as ec2.InstanceTypeInfo['InstanceType'],
  Hypervisor: hypervisorOf(type)[0],
  CurrentGeneration: type.currentGeneration,
  BareMetal: type.bareMetal,
  BurstablePerformanceSupported: type.burstable,
  SupportedRootDeviceTypes: ['ebs'],
  SupportedVirtualizationTypes: type.virtualizationTypes as ec2.VirtualizationType[],
  SupportedUsageClasses: ['on-demand'],
  SupportedBootModes: bootModes(type),
  ...FEATURES,
  ...processorsAndMemory(type),
  // There are no placement groups.
  PlacementGroupInfo: { SupportedStrategies: [] },
  NetworkInfo: networkOf(type),
  EbsInfo: {
    ...optimizedInfo(type),
    EncryptionSupport: encryptionSupport(type),
    NvmeSupport: type.nvmeSupport,
    MaximumEbsAttachments: type.maximumEbsAttachments,
    AttachmentLimitType: type.attachmentLimitType,
  },
});
