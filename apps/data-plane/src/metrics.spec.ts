import type { VolumeId } from '@holdfast/contracts';
import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { countNbdOperations, measureFreezes } from './metrics.ts';

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

it('tells how long guests waited for the moment of a snapshot', async () => {
  const registry = new Registry();
  const note = measureFreezes(registry);
  note('volume', 4);
  note('set', 700);
  const found = (await registry.metrics()).split('\n');
  expect(found).toContain('holdfast_snapshot_freeze_seconds_bucket{le="0.0025",of="volume"} 0');
  expect(found).toContain('holdfast_snapshot_freeze_seconds_bucket{le="0.005",of="volume"} 1');
  expect(found).toContain('holdfast_snapshot_freeze_seconds_sum{of="set"} 0.7');
});
