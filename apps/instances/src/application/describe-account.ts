import type { ec2 } from '@holdfast/aws-protocol';
import { type RequestContext, zonesOf } from '@holdfast/contracts';
import {
  cutPage,
  dryRunOperation,
  invalidParameterValue,
  pageSize,
  type PageTokens,
  type RecordFilters,
  recordFilter,
  refuseParameters,
} from '@holdfast/ec2';
import { defaultVpc } from '../domain/default-vpc.ts';
import { allInstanceTypes } from '../domain/instance-types.ts';

const MAX_PAGE = 1000;

/** @see DescribeAccountAttributes; there are no Elastic IP addresses here. */
const attributesOf = ({ accountId, region }: RequestContext, maximumInstances: number): Record<string, string[]> => ({
  'default-vpc': [defaultVpc(accountId, region).vpcId],
  'max-elastic-ips': ['0'],
  'max-instances': [String(maximumInstances)],
  'supported-platforms': ['VPC'],
  'vpc-max-elastic-ips': ['0'],
  'vpc-max-security-groups-per-interface': ['1'],
});

interface Offering {
  type: string;
  location: string;
}

const OFFERING_FILTERS: RecordFilters<Offering> = {
  'instance-type': ({ type }) => [type],
  location: ({ location }) => [location],
};

/** What an account has in a Region besides its network: attributes, instance types on offer. */
export class DescribeAccount {
  constructor(
    private readonly tokens: PageTokens,
    private readonly settings: { instanceLimit: number },
  ) {}

  attributes(
    { AttributeNames = [], DryRun }: ec2.DescribeAccountAttributesRequest,
    context: RequestContext,
  ): ec2.DescribeAccountAttributesResult {
    if (DryRun === true) throw dryRunOperation();
    const attributes = attributesOf(context, this.settings.instanceLimit);
    const unknown = AttributeNames.find((name) => !Object.hasOwn(attributes, name));
    if (unknown !== undefined)
      throw invalidParameterValue(`Value (${unknown}) for parameter attributeName is invalid. Unknown attribute.`);
    return {
      AccountAttributes: Object.entries(attributes)
        .filter(([name]) => AttributeNames.length === 0 || AttributeNames.includes(name))
        .map(([AttributeName, values]) => ({
          AttributeName,
          AttributeValues: values.map((AttributeValue) => ({ AttributeValue })),
        })),
    };
  }

  /** Every type is on offer everywhere. */
  offerings(
    input: ec2.DescribeInstanceTypeOfferingsRequest,
    context: RequestContext,
  ): ec2.DescribeInstanceTypeOfferingsResult {
    const { LocationType = 'region', Filters, MaxResults, NextToken, DryRun, ...rest } = input;
    refuseParameters({ ...rest });
    if (DryRun === true) throw dryRunOperation();
    const limit = pageSize({ MaxResults, NextToken }, { maximum: MAX_PAGE, ids: [], idsParameter: '' });
    const { accountId, region } = context;
    const scope = { accountId, region, action: 'DescribeInstanceTypeOfferings' };
    const after = NextToken === undefined ? '' : this.tokens.read(scope, NextToken);
    const matches = recordFilter(Filters, OFFERING_FILTERS);
    const position = ({ type, location }: Offering) => `${type} ${location}`;
    const wanted = allInstanceTypes()
      .flatMap(({ name }) => locationsOf(LocationType, region).map((location) => ({ type: name, location })))
      .filter((offering) => position(offering) > after && matches(offering))
      .sort((a, b) => (position(a) < position(b) ? -1 : 1));
    const described = ({ type, location }: Offering): ec2.InstanceTypeOffering => ({
      InstanceType: type as ec2.InstanceTypeOffering['InstanceType'],
      LocationType: LocationType as ec2.LocationType,
      Location: location,
    });
    const { items, next } = cutPage(wanted.slice(0, limit + 1), limit, described, position);
    return {
      InstanceTypeOfferings: items,
      NextToken: next === null ? undefined : this.tokens.issue(scope, next),
    };
  }
}

const locationsOf = (type: string, region: string): string[] => {
  if (type === 'region') return [region];
  if (type === 'availability-zone') return zonesOf(region).map(({ zoneName }) => zoneName);
  if (type === 'availability-zone-id') return zonesOf(region).map(({ zoneId }) => zoneId);
  if (type === 'outpost') return [];
  throw invalidParameterValue(`Value (${type}) for parameter locationType is invalid.`);
};
