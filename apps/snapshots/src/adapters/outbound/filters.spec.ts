import { documentedFilters } from '@holdfast/ec2/testing';
import { expect, it } from 'vitest';
import { FILTERS as FAST_RESTORE_FILTERS } from '../../application/fast-restores.ts';
import { SNAPSHOT_FILTERS, TAG_FILTERS } from './snapshot-details.table.ts';
import { lockFilters, TIER_FILTERS } from './snapshot-features.table.ts';

it.each([
  ['DescribeSnapshots', SNAPSHOT_FILTERS],
  ['DescribeSnapshotTierStatus', TIER_FILTERS],
  ['DescribeLockedSnapshots', lockFilters(() => '$1')],
  ['DescribeFastSnapshotRestores', FAST_RESTORE_FILTERS],
  ['DescribeTags', TAG_FILTERS],
])('%s has every filter that AWS documents', (operation, filters) => {
  expect(Object.keys(filters)).toEqual(expect.arrayContaining(documentedFilters(operation)));
});
