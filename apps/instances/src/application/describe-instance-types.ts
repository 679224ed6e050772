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

const FILTERS: RecordFilters<InstanceType> = {
  'ebs-info.attachment-limit-type': () => ['shared'],
  'ebs-info.encryption-support': (type) => [encryptionSupport(type)],
  'ebs-info.maximum-ebs-attachments': (type) => [String(type.maximumEbsAttachments)],
  'ebs-info.nvme-support': (type) => [nvmeSupport(type)],
  hypervisor: (type) => [type.hypervisor],
  'instance-type': (type) => [type.name],
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
  SupportedRootDeviceTypes: ['ebs', 'instance-store'],
  SupportedVirtualizationTypes: ['hvm'],
  EbsInfo: {
    EncryptionSupport: encryptionSupport(type),
    NvmeSupport: nvmeSupport(type),
    MaximumEbsAttachments: type.maximumEbsAttachments,
    AttachmentLimitType: 'shared',
  },
});
