import { expect, it } from 'vitest';
import { blockStoreSettings } from './block-store-settings.ts';

it('blocks are in a folder unless a bucket is named', () => {
  expect(blockStoreSettings({})).toBeNull();
  expect(blockStoreSettings({ HOLDFAST_BLOCK_STORE: 'folder' })).toBeNull();
  expect(blockStoreSettings({ HOLDFAST_BLOCK_STORE: 's3://snapshots' })).toMatchObject({
    ...{ bucket: 'snapshots', prefix: '', region: 'us-east-1', pathStyle: false },
  });
  const own = { HOLDFAST_BLOCK_STORE: 's3://snapshots/a/b/', HOLDFAST_S3_ENDPOINT: 'https://rgw:7480' };
  expect(blockStoreSettings(own)).toMatchObject({ prefix: 'a/b/', endpoint: 'https://rgw:7480', pathStyle: true });
  expect(blockStoreSettings({ ...own, HOLDFAST_S3_PATH_STYLE: 'no' })?.pathStyle).toBe(false);
});

it.each([
  [{ HOLDFAST_BLOCK_STORE: '/srv/blocks' }, 'HOLDFAST_BLOCK_STORE makes no sense'],
  [{ HOLDFAST_BLOCK_STORE: 's3:///x' }, 'HOLDFAST_BLOCK_STORE makes no sense'],
  [{ HOLDFAST_BLOCK_STORE: 's3://NotABucket/x' }, 'HOLDFAST_BLOCK_STORE makes no sense'],
  [{ HOLDFAST_BLOCK_STORE: 's3://bucket/a b' }, 'HOLDFAST_BLOCK_STORE makes no sense'],
  [{ HOLDFAST_BLOCK_STORE: 's3://bucket/x', HOLDFAST_S3_ENDPOINT: 'rgw:80' }, 'HOLDFAST_S3_ENDPOINT makes no sense'],
  [{ HOLDFAST_S3_REGION: 'eu-west-1' }, 'HOLDFAST_S3_REGION without HOLDFAST_BLOCK_STORE'],
])('%j is refused', (values, reason) => {
  expect(() => blockStoreSettings(values)).toThrow(reason);
});
