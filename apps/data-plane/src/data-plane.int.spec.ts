import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { newVolumeId } from '@holdfast/contracts';
import { NbdClient } from '@holdfast/nbd/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildDataPlane, removeBundle, TestHost } from './testing/harness.ts';

const GIB = 1_073_741_824;
let bundle: string;
let host: TestHost;
beforeAll(async () => {
  bundle = await buildDataPlane();
  host = new TestHost(bundle);
  await host.start();
});
afterAll(async () => {
  await host.stop();
  removeBundle(bundle);
});

describe('a volume', () => {
  it('is an NBD export that keeps what is written, encrypted', async () => {
    const { socketPath, volumeId, instanceId } = await host.attached({ key: 'a' });
    expect(socketPath).toBe(join(host.home, 'instances', instanceId, 'dev', 'sdf'));
    expect(statSync(socketPath).mode & 0o777).toBe(0o600);
    const client = await NbdClient.connect(socketPath);
    expect(client.sizeBytes).toBe(GIB);
    const data = randomBytes(1_000_000);
    await client.write(777, data);
    await client.flush();
    expect((await client.read(777, data.length)).equals(data)).toBe(true);
    await client.close();
    await host.call('CloseExport', { volumeId, instanceId });
  });
});

describe('a snapshot', () => {
  it('holds the moment of the freeze, and makes volumes under the same and another key', async () => {
    const { socketPath, volumeId } = await host.attached({ key: 'a' });
    const client = await NbdClient.connect(socketPath);
    const before = randomBytes(3_000_000);
    await client.write(100_000, before);
    const snapshotId = await host.snapshot(volumeId);
    await client.write(100_000, randomBytes(3_000_000));
    expect(await host.settled(snapshotId)).toEqual({ state: 'completed', progress: 100 });
    for (const key of ['a', 'b']) {
      const restored = newVolumeId();
      const source = { snapshotId, dataKey: host.kms.use('a', volumeId) };
      const dataKey = host.kms.use(key, restored);
      await host.allocate({ volumeId: restored, sizeGiB: 2, dataKey, source });
      const export_ = await host.attach(restored, dataKey);
      const reader = await NbdClient.connect(export_.socketPath);
      expect((await reader.read(100_000, before.length)).equals(before)).toBe(true);
      expect((await reader.read(0, 100_000)).equals(Buffer.alloc(100_000))).toBe(true);
      await reader.close();
    }
    await client.close();
  });
});
