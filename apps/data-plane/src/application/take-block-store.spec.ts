import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ObjectStore, StoreLayout, StoreUnavailable } from '@holdfast/block-store';
import { MemoryObjects } from '@holdfast/block-store/testing';
import type { Logger } from '@holdfast/service-kit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { storeEnvironment, STORE_SETTINGS_VARIABLE } from '../store-environment.ts';
import { takeBlockStore } from './take-block-store.ts';

const warnings: unknown[] = [];
const logger = { warn: (what: unknown) => warnings.push(what) } as unknown as Logger;
const away = (url: string): ObjectStore => {
  const fail = () => Promise.reject(new StoreUnavailable('no answer', { isTransient: true }));
  return { url, put: fail, get: fail, remove: fail, list: () => ({ [Symbol.asyncIterator]: () => ({ next: fail }) }) };
};

let layouts: StoreLayout[];
beforeEach(() => {
  layouts = [0, 1].map(() => new StoreLayout(mkdtempSync(join(tmpdir(), 'holdfast-take-'))));
});
afterEach(() => layouts.forEach(({ root }) => rmSync(root, { recursive: true })));

it('a host takes its place once, goes on while it is away, and goes nowhere else', async () => {
  const [layout, other] = layouts as [StoreLayout, StoreLayout];
  const objects = new MemoryObjects();
  await takeBlockStore(layout, undefined, logger);
  await expect(takeBlockStore(layout, away(objects.url), logger)).rejects.toThrow(StoreUnavailable);
  await takeBlockStore(layout, objects, logger);
  await takeBlockStore(layout, objects, logger);
  await takeBlockStore(layout, away(objects.url), logger);
  expect(warnings).toEqual([{ reason: 'no answer' }]);
  await expect(takeBlockStore(layout, away('s3://elsewhere'), logger)).rejects.toThrow('and not in s3://elsewhere');
  await expect(takeBlockStore(layout, undefined, logger)).rejects.toThrow('HOLDFAST_BLOCK_STORE must name it');
  await expect(takeBlockStore(other, objects, logger)).rejects.toThrow('another host');
});

it('block hosts get what the client finds credentials by, and only with an object store', () => {
  const environment = { AWS_PROFILE: 'p', HOME: '/root', HOLDFAST_HOME: '/srv', SECRET: 'x' };
  expect(storeEnvironment(null, environment)).toEqual({});
  const s3 = { bucket: 'b', prefix: '', region: 'r', pathStyle: true };
  expect(storeEnvironment(s3, environment)).toEqual({
    ...{ AWS_PROFILE: 'p', HOME: '/root', [STORE_SETTINGS_VARIABLE]: JSON.stringify(s3) },
  });
});
