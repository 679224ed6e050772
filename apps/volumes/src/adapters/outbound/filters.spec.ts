import { documentedFilters } from '@holdfast/ec2/testing';
import { expect, it } from 'vitest';
import { STATUS_FILTERS, TAG_FILTERS, VOLUME_FILTERS } from './volume-details.table.ts';
import { MODIFICATION_FILTERS } from './volume-modifications.table.ts';

it.each([
  ['DescribeVolumes', VOLUME_FILTERS],
  ['DescribeVolumeStatus', STATUS_FILTERS],
  ['DescribeVolumesModifications', MODIFICATION_FILTERS],
  ['DescribeTags', TAG_FILTERS],
])('%s has every filter that AWS documents', (operation, filters) => {
  expect(Object.keys(filters)).toEqual(expect.arrayContaining(documentedFilters(operation)));
});
