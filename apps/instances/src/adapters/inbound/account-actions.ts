import type { RequestContext } from '@holdfast/contracts';
import type { RequestHandlers } from '@holdfast/messaging';
import type { DescribeAccount } from '../../application/describe-account.ts';
import type { DescribeNetwork } from '../../application/describe-network.ts';
import type { DescribeNetworkInterfaces } from '../../application/describe-network-interfaces.ts';
import { describeAvailabilityZones, describeRegions } from '../../application/describe-regions.ts';
import type { DescribeRouting } from '../../application/describe-routing.ts';

export interface AccountActions {
  account: DescribeAccount;
  network: DescribeNetwork;
  routing: DescribeRouting;
  networkInterfaces: DescribeNetworkInterfaces;
}

/** A handler that needs nobody else: what it throws is a rejection all the same. */
const at =
  <Input, Output>(answer: (input: Input, context: RequestContext) => Output) =>
  async (input: Input, context: RequestContext): Promise<Output> =>
    Promise.resolve(input).then((request) => answer(request, context));

/** What can only be described: Regions, and what each account has in each of them. */
export const accountActions = ({ account, network, routing, networkInterfaces }: AccountActions) =>
  ({
    DescribeRegions: at(describeRegions),
    DescribeAvailabilityZones: at(describeAvailabilityZones),
    DescribeAccountAttributes: at(account.attributes.bind(account)),
    DescribeInstanceTypeOfferings: at(account.offerings.bind(account)),
    DescribeVpcs: at(network.vpcs.bind(network)),
    DescribeVpcAttribute: at(network.vpcAttribute.bind(network)),
    DescribeSubnets: at(network.subnets.bind(network)),
    DescribeSecurityGroups: at(network.securityGroups.bind(network)),
    DescribeSecurityGroupRules: at(network.securityGroupRules.bind(network)),
    DescribeRouteTables: at(routing.routeTables.bind(routing)),
    DescribeInternetGateways: at(routing.internetGateways.bind(routing)),
    DescribeNetworkAcls: at(routing.networkAcls.bind(routing)),
    DescribeDhcpOptions: at(routing.dhcpOptions.bind(routing)),
    DescribeNetworkInterfaces: networkInterfaces.run.bind(networkInterfaces),
  }) satisfies RequestHandlers;
