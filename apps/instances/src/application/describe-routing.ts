import type { ec2 } from '@holdfast/aws-protocol';
import type { RequestContext } from '@holdfast/contracts';
import type { PageTokens } from '@holdfast/ec2';
import { type DefaultVpc, defaultVpc } from '../domain/default-vpc.ts';
import { type ListRules, listPage } from './network-lists.ts';

const rulesOf = (
  action: string,
  idsParameter: string,
  [code, what]: readonly [string, string],
  idOf: (vpc: DefaultVpc) => string,
  filters: ListRules<DefaultVpc>['filters'],
): ListRules<DefaultVpc> => ({
  action,
  idOf,
  idsParameter,
  notFound: [`${code}.NotFound`, (id) => `The ${what} '${id}' does not exist`],
  filters: { 'owner-id': ({ accountId }) => [accountId], ...filters },
});

const subnetIds = ({ subnets }: DefaultVpc) => subnets.map(({ subnetId }) => subnetId);

const ROUTE_TABLES = rulesOf(
  'DescribeRouteTables',
  'routeTableIdSet',
  ['InvalidRouteTableID', 'routeTable ID'],
  ({ routeTableId }) => routeTableId,
  {
    'association.main': () => ['true'],
    'association.route-table-association-id': ({ routeTableAssociationId }) => [routeTableAssociationId],
    'association.route-table-id': ({ routeTableId }) => [routeTableId],
    // Subnets use the main table without being associated with it, and EC2 lists no such association.
    'association.subnet-id': () => [],
    'route-table-id': ({ routeTableId }) => [routeTableId],
    'route.destination-cidr-block': ({ cidrBlock }) => [cidrBlock, '0.0.0.0/0'],
    'route.gateway-id': ({ internetGatewayId }) => ['local', internetGatewayId],
    'route.state': () => ['active'],
    'vpc-id': ({ vpcId }) => [vpcId],
  },
);

const GATEWAYS = rulesOf(
  'DescribeInternetGateways',
  'internetGatewayIdSet',
  ['InvalidInternetGatewayID', 'internetGateway ID'],
  ({ internetGatewayId }) => internetGatewayId,
  {
    'attachment.state': () => ['available'],
    'attachment.vpc-id': ({ vpcId }) => [vpcId],
    'internet-gateway-id': ({ internetGatewayId }) => [internetGatewayId],
  },
);

const ACLS = rulesOf(
  'DescribeNetworkAcls',
  'networkAclIdSet',
  ['InvalidNetworkAclID', 'networkAcl ID'],
  ({ networkAclId }) => networkAclId,
  {
    'association.network-acl-id': ({ networkAclId }) => [networkAclId],
    'association.subnet-id': subnetIds,
    default: () => ['true'],
    'network-acl-id': ({ networkAclId }) => [networkAclId],
    'vpc-id': ({ vpcId }) => [vpcId],
  },
);

const DHCP_OPTIONS = rulesOf(
  'DescribeDhcpOptions',
  'dhcpOptionsSet',
  ['InvalidDhcpOptionID', 'dhcpOption ID'],
  ({ dhcpOptionsId }) => dhcpOptionsId,
  {
    'dhcp-options-id': ({ dhcpOptionsId }) => [dhcpOptionsId],
    key: () => ['domain-name', 'domain-name-servers'],
    value: ({ region }) => [domainName(region), 'AmazonProvidedDNS'],
  },
);

const domainName = (region: string) => (region === 'us-east-1' ? 'ec2.internal' : `${region}.compute.internal`);

const describedTable = (vpc: DefaultVpc): ec2.RouteTable => ({
  RouteTableId: vpc.routeTableId,
  VpcId: vpc.vpcId,
  OwnerId: vpc.accountId,
  Associations: [
    {
      Main: true,
      RouteTableAssociationId: vpc.routeTableAssociationId,
      RouteTableId: vpc.routeTableId,
      AssociationState: { State: 'associated' },
    },
  ],
  PropagatingVgws: [],
  Routes: [
    { DestinationCidrBlock: vpc.cidrBlock, GatewayId: 'local', Origin: 'CreateRouteTable', State: 'active' },
    { DestinationCidrBlock: '0.0.0.0/0', GatewayId: vpc.internetGatewayId, Origin: 'CreateRoute', State: 'active' },
  ],
  Tags: [],
});

const describedGateway = ({ internetGatewayId, vpcId, accountId }: DefaultVpc): ec2.InternetGateway => ({
  InternetGatewayId: internetGatewayId,
  OwnerId: accountId,
  Attachments: [{ State: 'available' as ec2.AttachmentStatus, VpcId: vpcId }],
  Tags: [],
});

/** The last rule of either direction, which EC2 shows as `*`. */
const LAST_RULE = 32_767;

const describedAcl = (vpc: DefaultVpc): ec2.NetworkAcl => ({
  NetworkAclId: vpc.networkAclId,
  VpcId: vpc.vpcId,
  OwnerId: vpc.accountId,
  IsDefault: true,
  Associations: vpc.subnets.map(({ subnetId }) => ({
    NetworkAclAssociationId: `aclassoc-${subnetId.slice('subnet-'.length)}`,
    NetworkAclId: vpc.networkAclId,
    SubnetId: subnetId,
  })),
  Entries: [true, false].flatMap((Egress) => [
    { CidrBlock: '0.0.0.0/0', Egress, Protocol: '-1', RuleAction: 'allow' as const, RuleNumber: 100 },
    { CidrBlock: '0.0.0.0/0', Egress, Protocol: '-1', RuleAction: 'deny' as const, RuleNumber: LAST_RULE },
  ]),
  Tags: [],
});

const describedOptions = ({ dhcpOptionsId, accountId, region }: DefaultVpc): ec2.DhcpOptions => ({
  DhcpOptionsId: dhcpOptionsId,
  OwnerId: accountId,
  DhcpConfigurations: [
    { Key: 'domain-name', Values: [{ Value: domainName(region) }] },
    { Key: 'domain-name-servers', Values: [{ Value: 'AmazonProvidedDNS' }] },
  ],
  Tags: [],
});

/** What the default VPC has besides its subnets and its security group. */
export class DescribeRouting {
  constructor(private readonly tokens: PageTokens) {}

  routeTables(
    { RouteTableIds = [], ...input }: ec2.DescribeRouteTablesRequest,
    context: RequestContext,
  ): ec2.DescribeRouteTablesResult {
    const { items, nextToken } = this.list(RouteTableIds, input, ROUTE_TABLES, describedTable, context);
    return { RouteTables: items, NextToken: nextToken };
  }

  internetGateways(
    { InternetGatewayIds = [], ...input }: ec2.DescribeInternetGatewaysRequest,
    context: RequestContext,
  ): ec2.DescribeInternetGatewaysResult {
    const { items, nextToken } = this.list(InternetGatewayIds, input, GATEWAYS, describedGateway, context);
    return { InternetGateways: items, NextToken: nextToken };
  }

  networkAcls(
    { NetworkAclIds = [], ...input }: ec2.DescribeNetworkAclsRequest,
    context: RequestContext,
  ): ec2.DescribeNetworkAclsResult {
    const { items, nextToken } = this.list(NetworkAclIds, input, ACLS, describedAcl, context);
    return { NetworkAcls: items, NextToken: nextToken };
  }

  dhcpOptions(
    { DhcpOptionsIds = [], ...input }: ec2.DescribeDhcpOptionsRequest,
    context: RequestContext,
  ): ec2.DescribeDhcpOptionsResult {
    const { items, nextToken } = this.list(DhcpOptionsIds, input, DHCP_OPTIONS, describedOptions, context);
    return { DhcpOptions: items, NextToken: nextToken };
  }

  private list<Described>(
    ids: readonly string[],
    { DryRun, Filters, MaxResults, NextToken, ...others }: ec2.DescribeVpcsRequest,
    rules: ListRules<DefaultVpc>,
    describe: (vpc: DefaultVpc) => Described,
    context: RequestContext,
  ) {
    const request = { DryRun, Filters, MaxResults, NextToken };
    const vpcs = [defaultVpc(context.accountId, context.region)];
    return listPage(vpcs, { ids, request, others }, rules, describe, { tokens: this.tokens, context });
  }
}
