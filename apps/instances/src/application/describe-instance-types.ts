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
import { ebsOptimization, type EbsOptimizedPerformance } from '../domain/ebs-optimized.ts';
import { resourcesOf } from '../domain/instance-resources.ts';
import { allInstanceTypes, type InstanceType } from '../domain/instance-types.ts';

const MAX_PAGE = 100;

const encryptionSupport = ({ ebsEncryptionSupported }: InstanceType) =>
  ebsEncryptionSupported ? 'supported' : 'unsupported';
const nvmeSupport = ({ hypervisor }: InstanceType) => (hypervisor === 'nitro' ? 'required' : 'unsupported');

const PREVIOUS_GENERATIONS = /^(t1|m[1-3]|c[13]|cc2|cg1|cr1|hi1|hs1|r3|i2|g2|a1)\./;
const isCurrent = ({ name }: InstanceType) => !PREVIOUS_GENERATIONS.test(name);
const isBurstable = ({ name }: InstanceType) => /^t\d/.test(name);

const cores = (name: string): number => resourcesOf(name).vcpus / resourcesOf(name).threadsPerCore;

/** A filter on what a type gives its volumes. */
const optimized = (value: (performance: EbsOptimizedPerformance) => number) => (type: InstanceType) => {
  const { performance } = ebsOptimization(type);
  return performance === null ? [] : [String(value(performance))];
};

const FILTERS: RecordFilters<InstanceType> = {
  'bare-metal': () => ['false'],
  'burstable-performance-supported': (type) => [String(isBurstable(type))],
  'current-generation': (type) => [String(isCurrent(type))],
  'ebs-info.attachment-limit-type': () => ['shared'],
  'ebs-info.ebs-optimized-info.baseline-bandwidth-in-mbps': optimized(({ baselineMbps }) => baselineMbps),
  'ebs-info.ebs-optimized-info.baseline-iops': optimized(({ baselineIops }) => baselineIops),
  'ebs-info.ebs-optimized-info.baseline-throughput-in-mbps': optimized(({ baselineMBps }) => baselineMBps),
  'ebs-info.ebs-optimized-info.maximum-bandwidth-in-mbps': optimized(({ maximumMbps }) => maximumMbps),
  'ebs-info.ebs-optimized-info.maximum-iops': optimized(({ maximumIops }) => maximumIops),
  'ebs-info.ebs-optimized-info.maximum-throughput-in-mbps': optimized(({ maximumMBps }) => maximumMBps),
  'ebs-info.ebs-optimized-support': (type) => [ebsOptimization(type).support],
  'ebs-info.encryption-support': (type) => [encryptionSupport(type)],
  'ebs-info.maximum-ebs-attachments': (type) => [String(type.maximumEbsAttachments)],
  'ebs-info.nvme-support': (type) => [nvmeSupport(type)],
  hypervisor: (type) => [type.hypervisor],
  'instance-type': (type) => [type.name],
  'memory-info.size-in-mib': ({ name }) => [String(resourcesOf(name).memoryMiB)],
  'processor-info.supported-architecture': ({ name }) => [resourcesOf(name).architecture],
  'supported-root-device-type': () => ['ebs'],
  'supported-usage-class': () => ['on-demand'],
  'supported-virtualization-type': () => ['hvm'],
  'vcpu-info.default-cores': ({ name }) => [String(cores(name))],
  'vcpu-info.default-threads-per-core': ({ name }) => [String(resourcesOf(name).threadsPerCore)],
  'vcpu-info.default-vcpus': ({ name }) => [String(resourcesOf(name).vcpus)],
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

const processorsAndMemory = ({ name }: InstanceType): Partial<ec2.InstanceTypeInfo> => {
  const { vcpus, threadsPerCore, memoryMiB, architecture } = resourcesOf(name);
  return {
    VCpuInfo: { DefaultVCpus: vcpus, DefaultCores: cores(name), DefaultThreadsPerCore: threadsPerCore },
    MemoryInfo: { SizeInMiB: memoryMiB },
    ProcessorInfo: { SupportedArchitectures: [architecture] },
  };
};

const optimizedInfo = (type: InstanceType): Pick<ec2.EbsInfo, 'EbsOptimizedSupport' | 'EbsOptimizedInfo'> => {
  const { support, performance } = ebsOptimization(type);
  if (performance === null) return { EbsOptimizedSupport: support };
  const { baselineMbps, maximumMbps, baselineMBps, maximumMBps, baselineIops, maximumIops } = performance;
  return {
    EbsOptimizedSupport: support,
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
  Hypervisor: type.hypervisor,
  CurrentGeneration: isCurrent(type),
  BareMetal: false,
  BurstablePerformanceSupported: isBurstable(type),
  SupportedRootDeviceTypes: ['ebs'],
  SupportedVirtualizationTypes: ['hvm'],
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
    NvmeSupport: nvmeSupport(type),
    MaximumEbsAttachments: type.maximumEbsAttachments,
    AttachmentLimitType: 'shared',
  },
});
