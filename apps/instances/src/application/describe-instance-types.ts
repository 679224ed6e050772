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
import { allInstanceTypes, type InstanceType } from '../domain/instance-types.ts';

const MAX_PAGE = 100;

const encryptionSupport = ({ ebsEncryptionSupported }: InstanceType) =>
  ebsEncryptionSupported ? 'supported' : 'unsupported';
const nvmeSupport = ({ hypervisor }: InstanceType) => (hypervisor === 'nitro' ? 'required' : 'unsupported');

const PREVIOUS_GENERATIONS = /^(t1|m[1-3]|c[13]|cc2|cg1|cr1|hi1|hs1|r3|i2|g2|a1)\./;
const isCurrent = ({ name }: InstanceType) => !PREVIOUS_GENERATIONS.test(name);
const isBurstable = ({ name }: InstanceType) => /^t\d/.test(name);

const FILTERS: RecordFilters<InstanceType> = {
  'bare-metal': () => ['false'],
  'burstable-performance-supported': (type) => [String(isBurstable(type))],
  'current-generation': (type) => [String(isCurrent(type))],
  'ebs-info.attachment-limit-type': () => ['shared'],
  'ebs-info.encryption-support': (type) => [encryptionSupport(type)],
  'ebs-info.maximum-ebs-attachments': (type) => [String(type.maximumEbsAttachments)],
  'ebs-info.nvme-support': (type) => [nvmeSupport(type)],
  hypervisor: (type) => [type.hypervisor],
  'instance-type': (type) => [type.name],
  'supported-root-device-type': () => ['ebs'],
  'supported-virtualization-type': () => ['hvm'],
};

/** What is known of types here is what their volumes depend on; other members are left out. */
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

const described = (type: InstanceType): ec2.InstanceTypeInfo => ({
  InstanceType: type.name as ec2.InstanceTypeInfo['InstanceType'],
  Hypervisor: type.hypervisor,
  CurrentGeneration: isCurrent(type),
  BareMetal: false,
  BurstablePerformanceSupported: isBurstable(type),
  SupportedRootDeviceTypes: ['ebs'],
  SupportedVirtualizationTypes: ['hvm'],
  EbsInfo: {
    EncryptionSupport: encryptionSupport(type),
    NvmeSupport: nvmeSupport(type),
    MaximumEbsAttachments: type.maximumEbsAttachments,
    AttachmentLimitType: 'shared',
  },
});
