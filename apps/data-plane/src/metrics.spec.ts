import type { VolumeId } from '@holdfast/contracts';
import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { countNbdOperations } from './metrics.ts';

const volume = (name: string) => name as VolumeId;
const served = (requests: number) => ({
  connections: 1,
  commands: [{ command: 'read', requests, bytes: requests * 4096, errors: 0 }],
});

it('tells what each volume does, and which engine encrypts how many', async () => {
  const registry = new Registry();
  let all = new Map<VolumeId, unknown>();
  countNbdOperations(registry, { stats: () => Promise.resolve(all) });
  const lines = async () => (await registry.metrics()).split('\n');

  expect(await lines()).toContain('holdfast_xts_volumes{engine="openssl-addon"} 0');
  all = new Map<VolumeId, unknown>([
    [volume('vol-1'), { engine: 'node-crypto', exports: [served(2), served(3)] }],
    [volume('vol-2'), { engine: 'node-crypto', exports: [served(7)] }],
    [volume('vol-3'), { engine: null, exports: [served(1)] }],
    [volume('vol-4'), 'nonsense'],
  ]);
  const found = await lines();
  expect(found).toContain('holdfast_xts_volumes{engine="openssl-addon"} 0');
  expect(found).toContain('holdfast_xts_volumes{engine="node-crypto"} 2');
  expect(found).toContain('holdfast_nbd_requests{volume="vol-1",command="read"} 5');
  expect(found).toContain('holdfast_nbd_bytes{volume="vol-3",command="read"} 4096');
  expect(found).toContain('holdfast_nbd_connections{volume="vol-1"} 2');

  all = new Map();
  expect((await lines()).filter((line) => /^holdfast_nbd/.test(line))).toEqual([]);
});
