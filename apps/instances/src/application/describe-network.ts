import type { ec2 } from '@holdfast/aws-protocol';
import type { RequestContext } from '@holdfast/contracts';
import { dryRunOperation, invalidParameterValue, missingParameter, type PageTokens } from '@holdfast/ec2';
import { type DefaultVpc, defaultVpc, SECURITY_GROUP_NAME, type Subnet } from '../domain/default-vpc.ts';
import { type ListRules, listPage } from './network-lists.ts';

const missing = (code: string, what: string): readonly [string, (id: string) => string] => [
  `${code}.NotFound`,
  (id) => `The ${what} '${id}' does not exist`,
];

const VPCS: ListRules<DefaultVpc> = {
  action: 'DescribeVpcs',
  idOf: ({ vpcId }) => vpcId,
  idsParameter: 'vpcSet',
  notFound: missing('InvalidVpcID', 'vpc ID'),
  filters: {
    cidr: ({ cidrBlock }) => [cidrBlock],
    'cidr-block-association.association-id': ({ cidrAssociationId }) => [cidrAssociationId],
    'cidr-block-association.cidr-block': ({ cidrBlock }) => [cidrBlock],
    'cidr-block-association.state': () => ['associated'],
    'dhcp-options-id': ({ dhcpOptionsId }) => [dhcpOptionsId],
    'is-default': () => ['true'],
    isDefault: () => ['true'],
    'owner-id': ({ accountId }) => [accountId],
    state: () => ['available'],
    'vpc-id': ({ vpcId }) => [vpcId],
  },
};

type SubnetOf = Subnet & { vpc: DefaultVpc };

const SUBNETS: ListRules<SubnetOf> = {
  action: 'DescribeSubnets',
  idOf: ({ subnetId }) => subnetId,
  idsParameter: 'subnetSet',
  notFound: missing('InvalidSubnetID', 'subnet ID'),
  filters: {
    'availability-zone': ({ zoneName }) => [zoneName],
    availabilityZone: ({ zoneName }) => [zoneName],
    'availability-zone-id': ({ zoneId }) => [zoneId],
    availabilityZoneId: ({ zoneId }) => [zoneId],
    'available-ip-address-count': () => [String(FREE_ADDRESSES)],
    cidr: ({ cidrBlock }) => [cidrBlock],
    'cidr-block': ({ cidrBlock }) => [cidrBlock],
    cidrBlock: ({ cidrBlock }) => [cidrBlock],
    'default-for-az': () => ['true'],
    defaultForAz: () => ['true'],
    'map-public-ip-on-launch': () => ['false'],
    'owner-id': ({ vpc }) => [vpc.accountId],
    state: () => ['available'],
    'subnet-arn': (subnet) => [subnetArn(subnet)],
    'subnet-id': ({ subnetId }) => [subnetId],
    'vpc-id': ({ vpc }) => [vpc.vpcId],
  },
};

/** Of 4,096, five are EC2's own; here none is ever used up. */
const FREE_ADDRESSES = 4091;

const subnetArn = ({ vpc, subnetId }: SubnetOf) => `arn:aws:ec2:${vpc.region}:${vpc.accountId}:subnet/${subnetId}`;

const GROUPS: ListRules<DefaultVpc> = {
  action: 'DescribeSecurityGroups',
  idOf: ({ securityGroupId }) => securityGroupId,
  idsParameter: 'securityGroupIdsSet',
  notFound: missing('InvalidGroup', 'security group'),
  filters: {
    description: () => [GROUP_DESCRIPTION],
    'egress.ip-permission.cidr': () => ['0.0.0.0/0'],
    'egress.ip-permission.protocol': () => ['-1'],
    'group-id': ({ securityGroupId }) => [securityGroupId],
    'group-name': () => [SECURITY_GROUP_NAME],
    'ip-permission.group-id': ({ securityGroupId }) => [securityGroupId],
    'ip-permission.protocol': () => ['-1'],
    'ip-permission.user-id': ({ accountId }) => [accountId],
    'owner-id': ({ accountId }) => [accountId],
    'vpc-id': ({ vpcId }) => [vpcId],
  },
};

const GROUP_DESCRIPTION = 'default VPC security group';

interface Rule {
  vpc: DefaultVpc;
  ruleId: string;
  isEgress: boolean;
}

const RULES: ListRules<Rule> = {
  action: 'DescribeSecurityGroupRules',
  idOf: ({ ruleId }) => ruleId,
  idsParameter: 'securityGroupRuleIdSet',
  notFound: missing('InvalidSecurityGroupRuleId', 'security group rule ID'),
  filters: {
    'group-id': ({ vpc }) => [vpc.securityGroupId],
    'security-group-rule-id': ({ ruleId }) => [ruleId],
  },
};

const rulesOf = (vpc: DefaultVpc): Rule[] => [
  { vpc, ruleId: vpc.ingressRuleId, isEgress: false },
  { vpc, ruleId: vpc.egressRuleId, isEgress: true },
];

const describedVpc = (vpc: DefaultVpc): ec2.Vpc => ({
  VpcId: vpc.vpcId,
  OwnerId: vpc.accountId,
  State: 'available',
  CidrBlock: vpc.cidrBlock,
  CidrBlockAssociationSet: [
    { AssociationId: vpc.cidrAssociationId, CidrBlock: vpc.cidrBlock, CidrBlockState: { State: 'associated' } },
  ],
  Ipv6CidrBlockAssociationSet: [],
  DhcpOptionsId: vpc.dhcpOptionsId,
  InstanceTenancy: 'default',
  IsDefault: true,
  Tags: [],
});

const describedSubnet = (subnet: SubnetOf): ec2.Subnet => ({
  SubnetId: subnet.subnetId,
  SubnetArn: subnetArn(subnet),
  OwnerId: subnet.vpc.accountId,
  VpcId: subnet.vpc.vpcId,
  State: 'available',
  CidrBlock: subnet.cidrBlock,
  AvailableIpAddressCount: FREE_ADDRESSES,
  AvailabilityZone: subnet.zoneName,
  AvailabilityZoneId: subnet.zoneId,
  DefaultForAz: true,
  MapPublicIpOnLaunch: false,
  MapCustomerOwnedIpOnLaunch: false,
  AssignIpv6AddressOnCreation: false,
  Ipv6CidrBlockAssociationSet: [],
  EnableDns64: false,
  Ipv6Native: false,
  PrivateDnsNameOptionsOnLaunch: {
    HostnameType: 'ip-name',
    EnableResourceNameDnsARecord: false,
    EnableResourceNameDnsAAAARecord: false,
  },
  Tags: [],
});

const describedGroup = ({ accountId, region, vpcId, securityGroupId }: DefaultVpc): ec2.SecurityGroup => ({
  GroupId: securityGroupId,
  GroupName: SECURITY_GROUP_NAME,
  Description: GROUP_DESCRIPTION,
  OwnerId: accountId,
  VpcId: vpcId,
  SecurityGroupArn: `arn:aws:ec2:${region}:${accountId}:security-group/${securityGroupId}`,
  IpPermissions: [
    {
      IpProtocol: '-1',
      UserIdGroupPairs: [{ GroupId: securityGroupId, UserId: accountId }],
      IpRanges: [],
      Ipv6Ranges: [],
      PrefixListIds: [],
    },
  ],
  IpPermissionsEgress: [
    { IpProtocol: '-1', IpRanges: [{ CidrIp: '0.0.0.0/0' }], UserIdGroupPairs: [], Ipv6Ranges: [], PrefixListIds: [] },
  ],
  Tags: [],
});

const describedRule = ({ vpc, ruleId, isEgress }: Rule): ec2.SecurityGroupRule => ({
  SecurityGroupRuleId: ruleId,
  GroupId: vpc.securityGroupId,
  GroupOwnerId: vpc.accountId,
  IsEgress: isEgress,
  IpProtocol: '-1',
  FromPort: -1,
  ToPort: -1,
  ...(isEgress
    ? { CidrIpv4: '0.0.0.0/0' }
    : { ReferencedGroupInfo: { GroupId: vpc.securityGroupId, UserId: vpc.accountId } }),
  Tags: [],
});

/** What there is of a network: one default VPC for each account and Region, which nobody can change. */
export class DescribeNetwork {
  constructor(private readonly tokens: PageTokens) {}

  vpcs({ VpcIds = [], ...input }: ec2.DescribeVpcsRequest, context: RequestContext): ec2.DescribeVpcsResult {
    const { items, nextToken } = this.list([vpcOf(context)], VpcIds, input, VPCS, describedVpc, context);
    return { Vpcs: items, NextToken: nextToken };
  }

  subnets(
    { SubnetIds = [], ...input }: ec2.DescribeSubnetsRequest,
    context: RequestContext,
  ): ec2.DescribeSubnetsResult {
    const vpc = vpcOf(context);
    const subnets = vpc.subnets.map((subnet) => ({ ...subnet, vpc }));
    const { items, nextToken } = this.list(subnets, SubnetIds, input, SUBNETS, describedSubnet, context);
    return { Subnets: items, NextToken: nextToken };
  }

  securityGroups(input: ec2.DescribeSecurityGroupsRequest, context: RequestContext): ec2.DescribeSecurityGroupsResult {
    const { GroupIds = [], GroupNames = [], ...others } = input;
    const vpc = vpcOf(context);
    // A name stands for its group's id; one that is unknown is refused by the same words.
    const ids = [...GroupIds, ...GroupNames.map((name) => (name === SECURITY_GROUP_NAME ? vpc.securityGroupId : name))];
    const { items, nextToken } = this.list([vpc], ids, others, GROUPS, describedGroup, context);
    return { SecurityGroups: items, NextToken: nextToken };
  }

  securityGroupRules(
    { SecurityGroupRuleIds = [], ...input }: ec2.DescribeSecurityGroupRulesRequest,
    context: RequestContext,
  ): ec2.DescribeSecurityGroupRulesResult {
    const rules = rulesOf(vpcOf(context));
    const { items, nextToken } = this.list(rules, SecurityGroupRuleIds, input, RULES, describedRule, context);
    return { SecurityGroupRules: items, NextToken: nextToken };
  }

  vpcAttribute(
    { VpcId, Attribute, DryRun }: Partial<ec2.DescribeVpcAttributeRequest>,
    context: RequestContext,
  ): ec2.DescribeVpcAttributeResult {
    if (VpcId === undefined || VpcId === '') throw missingParameter('vpcId');
    if (Attribute === undefined || Attribute === '') throw missingParameter('attribute');
    this.list([vpcOf(context)], [VpcId], {}, VPCS, describedVpc, context);
    if (DryRun === true) throw dryRunOperation();
    switch (Attribute) {
      case 'enableDnsHostnames':
        return { VpcId, EnableDnsHostnames: { Value: true } };
      case 'enableDnsSupport':
        return { VpcId, EnableDnsSupport: { Value: true } };
      case 'enableNetworkAddressUsageMetrics':
        return { VpcId, EnableNetworkAddressUsageMetrics: { Value: false } };
      default:
        throw invalidParameterValue(`Value (${Attribute}) for parameter attribute is invalid. Unknown attribute.`);
    }
  }

  private list<Item, Described>(
    all: readonly Item[],
    ids: readonly string[],
    { DryRun, Filters, MaxResults, NextToken, ...others }: ec2.DescribeVpcsRequest,
    rules: ListRules<Item>,
    describe: (item: Item) => Described,
    context: RequestContext,
  ) {
    const request = { DryRun, Filters, MaxResults, NextToken };
    return listPage(all, { ids, request, others }, rules, describe, { tokens: this.tokens, context });
  }
}

const vpcOf = ({ accountId, region }: RequestContext) => defaultVpc(accountId, region);
