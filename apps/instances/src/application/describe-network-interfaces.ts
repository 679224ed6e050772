import type { ec2 } from '@holdfast/aws-protocol';
import type { RequestContext } from '@holdfast/contracts';
import type { PageTokens } from '@holdfast/ec2';
import { defaultVpc, networkInterfaceOf, SECURITY_GROUP_NAME, subnetOf } from '../domain/default-vpc.ts';
import { isSourceDestChecked } from '../domain/instance-settings.ts';
import { privateDnsName } from './described-instance.ts';
import { type ListRules, listPage } from './network-lists.ts';
import type { InstanceRow, InstanceTable } from './ports.ts';

const MOST_INSTANCES = 10_000;

const idOf = ({ instanceId }: InstanceRow) => networkInterfaceOf(instanceId).networkInterfaceId;
const vpcOf = ({ accountId, region }: InstanceRow) => defaultVpc(accountId, region);
const subnetIdOf = (row: InstanceRow) => subnetOf(vpcOf(row), row.availabilityZone)?.subnetId;

const RULES: ListRules<InstanceRow> = {
  action: 'DescribeNetworkInterfaces',
  idOf,
  idsParameter: 'networkInterfaceIdSet',
  notFound: ['InvalidNetworkInterfaceID.NotFound', (id) => `The networkInterface ID '${id}' does not exist`],
  filters: {
    'addresses.primary': () => ['true'],
    'addresses.private-ip-address': ({ privateIpAddress }) => [privateIpAddress],
    'attachment.attachment-id': ({ instanceId }) => [networkInterfaceOf(instanceId).attachmentId],
    'attachment.delete-on-termination': () => ['true'],
    'attachment.device-index': () => ['0'],
    'attachment.instance-id': ({ instanceId }) => [instanceId],
    'attachment.instance-owner-id': ({ accountId }) => [accountId],
    'attachment.status': () => ['attached'],
    'availability-zone': ({ availabilityZone }) => [availabilityZone],
    description: () => [''],
    'group-id': (row) => [vpcOf(row).securityGroupId],
    'group-name': () => [SECURITY_GROUP_NAME],
    'interface-type': () => ['interface'],
    'mac-address': ({ instanceId }) => [networkInterfaceOf(instanceId).macAddress],
    'network-interface-id': (row) => [idOf(row)],
    'owner-id': ({ accountId }) => [accountId],
    'private-dns-name': ({ privateIpAddress, region }) => [privateDnsName(privateIpAddress, region)],
    'private-ip-address': ({ privateIpAddress }) => [privateIpAddress],
    'requester-managed': () => ['false'],
    'source-dest-check': ({ settings }) => [String(isSourceDestChecked(settings))],
    status: () => ['in-use'],
    'subnet-id': (row) => [subnetIdOf(row)],
    'vpc-id': (row) => [vpcOf(row).vpcId],
  },
};

const described = (row: InstanceRow): ec2.NetworkInterface => {
  const { networkInterfaceId, attachmentId, macAddress } = networkInterfaceOf(row.instanceId);
  const { vpcId, securityGroupId } = vpcOf(row);
  const address = {
    PrivateIpAddress: row.privateIpAddress,
    PrivateDnsName: privateDnsName(row.privateIpAddress, row.region),
  };
  return {
    NetworkInterfaceId: networkInterfaceId,
    ...address,
    PrivateIpAddresses: [{ Primary: true, ...address }],
    MacAddress: macAddress,
    OwnerId: row.accountId,
    AvailabilityZone: row.availabilityZone,
    VpcId: vpcId,
    SubnetId: subnetIdOf(row),
    Groups: [{ GroupId: securityGroupId, GroupName: SECURITY_GROUP_NAME }],
    Description: '',
    InterfaceType: 'interface',
    Ipv6Addresses: [],
    RequesterManaged: false,
    SourceDestCheck: isSourceDestChecked(row.settings),
    Status: 'in-use',
    Attachment: {
      AttachTime: row.launchTime,
      AttachmentId: attachmentId,
      DeleteOnTermination: true,
      DeviceIndex: 0,
      NetworkCardIndex: 0,
      InstanceId: row.instanceId,
      InstanceOwnerId: row.accountId,
      Status: 'attached',
    },
    TagSet: [],
  };
};

/** Each instance has one as long as it is there. */
export class DescribeNetworkInterfaces {
  constructor(
    private readonly instances: InstanceTable,
    private readonly tokens: PageTokens,
  ) {}

  async run(
    input: ec2.DescribeNetworkInterfacesRequest,
    context: RequestContext,
  ): Promise<ec2.DescribeNetworkInterfacesResult> {
    const { NetworkInterfaceIds: ids = [], DryRun, Filters, MaxResults, NextToken, ...others } = input;
    const { accountId, region } = context;
    const everything = { instanceIds: [], after: null, limit: MOST_INSTANCES, terminatedAfter: new Date(0) };
    const rows = await this.instances.find({ accountId, region, ...everything });
    const request = { DryRun, Filters, MaxResults, NextToken };
    const { items, nextToken } = listPage(
      rows.filter(({ state }) => state !== 'terminated'),
      { ids, request, others },
      RULES,
      described,
      { tokens: this.tokens, context },
    );
    return { NetworkInterfaces: items, NextToken: nextToken };
  }
}
