import { REGIONS } from '@holdfast/contracts';
import { testContext } from '@holdfast/messaging/testing';
import { describe, expect, it } from 'vitest';
import { describeAvailabilityZones, describeRegions } from './describe-regions.ts';

const context = testContext();
const regions = (input: Parameters<typeof describeRegions>[0]) =>
  describeRegions(input).Regions?.map(({ RegionName }) => RegionName);
const zones = (input: Parameters<typeof describeAvailabilityZones>[0]) =>
  describeAvailabilityZones(input, context).AvailabilityZones?.map(({ ZoneName }) => ZoneName);
const invalid = (message: string) => expect.objectContaining({ code: 'InvalidParameterValue', message }) as Error;

describe('DescribeRegions', () => {
  it('tells of all of them, of those that are named, and of those that match', () => {
    expect(regions({})).toEqual(REGIONS);
    expect(regions({ RegionNames: ['us-east-1', 'eu-west-1'] })).toEqual(['eu-west-1', 'us-east-1']);
    expect(regions({ Filters: [{ Name: 'endpoint', Values: ['*us-east*'] }] })).toEqual(['us-east-1', 'us-east-2']);
  });

  it('refuses a Region that there is not, however it is written', () => {
    for (const name of ['eu-central-9', 'EU-CENTRAL-1', ''])
      expect(() => regions({ RegionNames: ['eu-west-1', name] })).toThrow(invalid(`Invalid region provided: ${name}`));
  });
});

describe('DescribeAvailabilityZones', () => {
  it('tells of the Region that is asked', () => {
    const all = ['eu-central-1a', 'eu-central-1b', 'eu-central-1c'];
    expect(zones({})).toEqual(all);
    expect(zones({ ZoneNames: ['eu-central-1b'] })).toEqual(['eu-central-1b']);
    expect(zones({ ZoneIds: ['euc1-az3'] })).toEqual(['eu-central-1c']);
    expect(zones({ Filters: [{ Name: 'group-long-name', Values: ['Europe (Frankfurt) 1'] }] })).toEqual(all);
    expect(zones({ Filters: [{ Name: 'parent-zone-id', Values: ['*'] }] })).toEqual([]);
  });

  it('names every zone that there is not, in this Region', () => {
    const refused = (input: Parameters<typeof zones>[0], names: string) =>
      expect(() => zones(input)).toThrow(invalid(`Invalid availability zone: [${names}]`));
    refused({ ZoneNames: ['eu-central-1a', 'eu-central-1z', 'us-east-1a'] }, 'eu-central-1z, us-east-1a');
    refused({ ZoneIds: ['euc1-az9'] }, 'euc1-az9');
    refused({ ZoneNames: [''] }, '');
  });
});
