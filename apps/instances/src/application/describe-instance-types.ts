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

const FILTERS: RecordFilters<InstanceType> = {
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
  hypervisor: hypervisorOf,
  'instance-type': (type) => [type.name],
  'memory-info.size-in-mib': ({ memoryMiB }) => [String(memoryMiB)],
  'processor-info.supported-architecture': ({ architectures }) => [...architectures],
  'supported-root-device-type': () => ['ebs'],
  'supported-usage-class': () => ['on-demand'],
  'supported-virtualization-type': ({ virtualizationTypes }) => [...virtualizationTypes],
  'vcpu-info.default-cores': ({ cores }) => [String(cores)],
  'vcpu-info.default-threads-per-core': ({ threadsPerCore }) => [String(threadsPerCore)],
  'vcpu-info.default-vcpus': ({ vcpus }) => [String(vcpus)],
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
  VCpuInfo: { DefaultVCpus: type.vcpus, DefaultCores: type.cores, DefaultThreadsPerCore: type.threadsPerCore },
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
  ...processorsAndMemory(type),
  // There are no placement groups, and an instance has one interface with one address.
  PlacementGroupInfo: { SupportedStrategies: [] },
  NetworkInfo: {
    MaximumNetworkInterfaces: 1,
    MaximumNetworkCards: 1,
    DefaultNetworkCardIndex: 0,
    Ipv4AddressesPerInterface: 1,
    Ipv6AddressesPerInterface: 0,
    Ipv6Supported: false,
    EnaSupport: type.hypervisor === 'nitro' ? 'required' : 'unsupported',
    EfaSupported: false,
  },
  EbsInfo: {
    ...optimizedInfo(type),
    EncryptionSupport: encryptionSupport(type),
    NvmeSupport: type.nvmeSupport,
    MaximumEbsAttachments: type.maximumEbsAttachments,
    AttachmentLimitType: type.attachmentLimitType,
  },
});
