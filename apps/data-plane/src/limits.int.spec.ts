import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { newInstanceId, newVolumeId } from '@holdfast/contracts';
import { NbdClient } from '@holdfast/nbd/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildDataPlane, removeBundle, TestHost } from './testing/harness.ts';

let bundle: string;
let host: TestHost;
beforeAll(async () => {
  bundle = await buildDataPlane();
  host = new TestHost(bundle, { HOLDFAST_VOLUME_LIMITS: 'enforced' });
  await host.start();
});
afterAll(async () => {
  await host.stop();
  removeBundle(bundle);
});

const io1 = (iops: number) => ({ volumeType: 'io1', sizeGiB: 4, iops, throughputMiBps: null }) as const;

/** @returns milliseconds until all of them are answered. */
const timed = async (client: NbdClient, requests: number): Promise<number> => {
  const begunMs = performance.now();
  await Promise.all(Array.from({ length: requests }, (_, unit) => client.read(unit * 4096, 4096)));
  return performance.now() - begunMs;
};

describe('a volume that is held to its type', () => {
  it('does what it was attached with, and what it is modified to at once', { timeout: 300_000 }, async () => {
    const volumeId = newVolumeId();
    await host.allocate({ volumeId, sizeGiB: 4 });
    const attachment = { volumeId, instanceId: newInstanceId(), device: '/dev/sdf', performance: io1(100) };
    const { socketPath } = await host.call('OpenExport', attachment);
    const client = await NbdClient.connect(socketPath);
    // A twentieth of a second's worth gathers.
    expect(await timed(client, 55)).toBeGreaterThanOrEqual(490);
    const many = timed(client, 4_000);
    await host.call('SetPerformance', { volumeId, performance: io1(64_000) });
    expect(await many).toBeLessThan(39_000);
    await host.call('SetPerformance', { volumeId, performance: io1(100) });
    // A device that is closed does not keep its guest waiting.
    const last = timed(client, 4_000);
    last.catch(() => undefined);
    await host.call('CloseExport', attachment);
    await client.close().catch(() => undefined);
  });

  it('keeps its burst credits while it is detached', async () => {
    const volumeId = newVolumeId();
    await host.allocate({ volumeId, sizeGiB: 1 });
    const performance = { volumeType: 'gp2', sizeGiB: 1, iops: 100, throughputMiBps: null } as const;
    const kept = () => {
      const path = join(host.home, 'data-plane', 'volumes', volumeId, 'credits.json');
      return (JSON.parse(readFileSync(path, 'utf8')) as { operationCredits: number }).operationCredits;
    };
    for (const [reads, most] of [[5_000, 5_399_000] as const, [0, 5_399_990] as const]) {
      const attachment = { volumeId, instanceId: newInstanceId(), device: '/dev/sdf', performance };
      const client = await NbdClient.connect((await host.call('OpenExport', attachment)).socketPath);
      await timed(client, reads);
      await client.close();
      await host.call('CloseExport', attachment);
      expect(kept()).toBeLessThan(most);
    }
  });

  it('is not held to anything when nobody says what it is', async () => {
    const { socketPath } = await host.attached();
    const client = await NbdClient.connect(socketPath);
    await timed(client, 5_000);
    await client.close();
  });
});
