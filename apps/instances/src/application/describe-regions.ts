import type { ec2 } from '@holdfast/aws-protocol';
import { REGIONS, type RequestContext, type Zone, zonesOf } from '@holdfast/contracts';
import { AwsError } from '@holdfast/contracts';
import {
  dryRunOperation,
  invalidParameterValue,
  type RecordFilters,
  recordFilter,
  refuseParameters,
} from '@holdfast/ec2';
import { zoneGroupName } from '../domain/region-names.ts';

const endpointOf = (region: string) => `ec2.${region}.amazonaws.com`;

/** @see DescribeRegions, "Filters" */
export const REGION_FILTERS: RecordFilters<string> = {
  endpoint: (region) => [endpointOf(region)],
  'opt-in-status': () => ['opt-in-not-required'],
  'region-name': (region) => [region],
};

export const describeRegions = (input: ec2.DescribeRegionsRequest): ec2.DescribeRegionsResult => {
  // AllRegions adds Regions that are not opted in; here every Region is.
  const { RegionNames = [], Filters, AllRegions: _, DryRun, ...rest } = input;
  if (DryRun === true) throw dryRunOperation();
  refuseParameters({ ...rest });
  const unknown = RegionNames.find((name) => !REGIONS.includes(name));
  if (unknown !== undefined) throw invalidParameterValue(`Invalid region provided: ${unknown}`);
  const matches = recordFilter(Filters, REGION_FILTERS);
  return {
    Regions: REGIONS.filter((name) => (RegionNames.length === 0 || RegionNames.includes(name)) && matches(name)).map(
      (RegionName) => ({ RegionName, Endpoint: endpointOf(RegionName), OptInStatus: 'opt-in-not-required' }),
    ),
  };
};

/** @see DescribeAvailabilityZones, "Filters". No zone has a message or is another one's. */
export const zoneFilters = (region: string): RecordFilters<Zone> => ({
  'group-long-name': () => [zoneGroupName(region)],
  'group-name': () => [`${region}-zg-1`],
  message: () => [],
  'opt-in-status': () => ['opt-in-not-required'],
  'parent-zone-id': () => [],
  'parent-zone-name': () => [],
  'region-name': () => [region],
  state: () => ['available'],
  'zone-id': ({ zoneId }) => [zoneId],
  'zone-name': ({ zoneName }) => [zoneName],
  'zone-type': () => ['availability-zone'],
});

export const describeAvailabilityZones = (
  input: ec2.DescribeAvailabilityZonesRequest,
  { region }: RequestContext,
): ec2.DescribeAvailabilityZonesResult => {
  const { ZoneNames = [], ZoneIds = [], Filters, AllAvailabilityZones: _, DryRun, ...rest } = input;
  if (DryRun === true) throw dryRunOperation();
  refuseParameters({ ...rest });
  const zones = zonesOf(region);
  const names = zones.map(({ zoneName }) => zoneName);
  const ids = zones.map(({ zoneId }) => zoneId);
  const unknown = [...ZoneNames.filter((name) => !names.includes(name)), ...ZoneIds.filter((id) => !ids.includes(id))];
  if (unknown.length > 0) {
    throw new AwsError({
      code: 'InvalidParameterValue',
      message: `Invalid availability zone: [${unknown.join(', ')}]`,
    });
  }
  const asked = ({ zoneName, zoneId }: Zone) =>
    (ZoneNames.length === 0 || ZoneNames.includes(zoneName)) && (ZoneIds.length === 0 || ZoneIds.includes(zoneId));
  return {
    AvailabilityZones: zones
      .filter(asked)
      .filter(recordFilter(Filters, zoneFilters(region)))
      .map(({ zoneName, zoneId }) => ({
        ZoneName: zoneName,
        ZoneId: zoneId,
        State: 'available',
        Messages: [],
        RegionName: region,
        GroupName: `${region}-zg-1`,
        GroupLongName: zoneGroupName(region),
        NetworkBorderGroup: region,
        ZoneType: 'availability-zone',
        OptInStatus: 'opt-in-not-required',
      })),
  };
};
