import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StoreLayout } from '@holdfast/block-store';
import { accountId, instancePrincipal, newInstanceId, newSnapshotId, region } from '@holdfast/contracts';
import { createLogger, TurnableClock } from '@holdfast/service-kit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BlockUploads } from './block-uploads.ts';
import type { HostTasks } from './host-tasks.ts';

const HOUR_MS = 3_600_000;
const ACCOUNT = accountId('111122223333');
let root: string;
let failed: string[];
let closeBlocks: () => Promise<void>;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-uploads-'));
  failed = [];
  closeBlocks = () => Promise.resolve();
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A process of the service. */
const started = (offsetMs = 0) => {
  const clock = new TurnableClock();
  clock.turnTo(offsetMs);
  const uploads = new BlockUploads({
    layout: new StoreLayout(root),
    tasks: { proveKey: () => Promise.resolve('check') } as unknown as HostTasks,
    clock,
    logger: createLogger({ name: 'test', level: 'silent' }),
    closeBlocks: () => closeBlocks(),
    fail: (snapshotId) => failed.push(snapshotId),
  });
  return { clock, uploads };
};

const upload = { snapshotId: newSnapshotId(), sizeGiB: 1, timeoutMinutes: 60 };

describe('an upload that waits for blocks', () => {
  it('stays under the key that it was begun under, and says so to whoever begins it again', async () => {
    const keyUse = (dataKeyId: string) => ({
      ...{ keyArn: 'arn:aws:kms:eu-central-1:111122223333:key/k', encryptedDataKey: `wrapped ${dataKeyId}` },
      ...{ encryptionContext: { 'aws:ebs:id': upload.snapshotId }, dataKeyId },
      ...{ principal: instancePrincipal(ACCOUNT, newInstanceId()), accountId: ACCOUNT },
      ...{ region: region('eu-central-1'), requestId: 'r' },
    });
    const { uploads } = started();
    expect(await uploads.start({ ...upload, dataKey: keyUse('first') })).toEqual({});
    const again = { ...upload, sizeGiB: 2, dataKey: keyUse('second') };
    const { principal: _p, accountId: _a, region: _r, requestId: _i, ...first } = keyUse('first');
    expect(await uploads.start(again)).toEqual({ begun: { sizeGiB: 1, parentSnapshotId: null, dataKey: first } });
    expect(await started().uploads.start(again)).toEqual({
      begun: { sizeGiB: 1, parentSnapshotId: null, dataKey: first },
    });
  });

  it('waits as long after a restart under a clock that is turned', async () => {
    await started().uploads.start(upload);
    const { clock, uploads } = started(10 * HOUR_MS);
    uploads.progress(upload.snapshotId);
    await sleep(0);
    expect(failed).toEqual([]);
    clock.turnTo(11.1 * HOUR_MS);
    uploads.progress(upload.snapshotId);
    await sleep(0);
    expect(failed).toEqual([upload.snapshotId]);
  });

  it('does not time out once its completion is promised', async () => {
    const { clock, uploads } = started();
    await uploads.start(upload);
    clock.turnTo(2 * HOUR_MS);
    // The second of the completion's waits is longer than the one that began when the time was over.
    let timesOut = (): void => undefined;
    const waits = [
      () => new Promise<void>((resolve) => (timesOut = resolve)),
      () => Promise.resolve(),
      () => sleep(0, timesOut()).then(() => sleep(0)),
    ];
    closeBlocks = () => waits.shift()?.() ?? Promise.resolve();
    uploads.progress(upload.snapshotId);
    await uploads.complete({ snapshotId: upload.snapshotId, changedBlocksCount: 0 });
    await uploads.close();
    expect(waits).toEqual([]);
    expect(failed).toEqual([]);
  });
});
