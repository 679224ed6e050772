import { documentedFilters } from '@holdfast/ec2/testing';
import { expect, it } from 'vitest';
import { FILTERS as TYPE_FILTERS } from '../../application/describe-instance-types.ts';
import { REGION_FILTERS, zoneFilters } from '../../application/describe-regions.ts';
import { DEVICE_FILTERS } from '../../application/device-filters.ts';
import { TAG_FILTERS } from '../../application/instance-tags.ts';
import { instanceFilters, instanceStatusFilters } from './instance-filters.ts';

const where = ['111122223333', 'eu-central-1'] as const;

it.each([
  ['DescribeInstances', { ...instanceFilters(...where), ...DEVICE_FILTERS }],
  ['DescribeInstanceStatus', instanceStatusFilters(...where)],
  ['DescribeInstanceTypes', TYPE_FILTERS],
  ['DescribeRegions', REGION_FILTERS],
  ['DescribeAvailabilityZones', zoneFilters('eu-central-1')],
  ['DescribeTags', TAG_FILTERS],
])('%s has every filter that AWS documents', (operation, filters) => {
  expect(Object.keys(filters)).toEqual(expect.arrayContaining(documentedFilters(operation)));
});
