import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { limitsOf, StoreLayout, VolumeLimiter } from '@holdfast/block-store';
import { expect, it } from 'vitest';
import { KeptCredits } from './burst-credits.ts';

it('are known to who comes after a process that was killed', async () => {
  const root = mkdtempSync(join(tmpdir(), 'holdfast-credits-'));
  const layout = new StoreLayout(root);
  const paths = layout.volume('vol-00000001');
  mkdirSync(paths.folder, { recursive: true });
  const gp2 = limitsOf({ volumeType: 'gp2', sizeGiB: 1, iops: 100, throughputMiBps: null });
  const limiter = new VolumeLimiter();
  limiter.set(gp2);
  const killed = new KeptCredits(layout, 'vol-00000001', limiter, 5);
  killed.restore();
  const full = limiter.credits()?.operationCredits ?? 0;
  const noted = () =>
    existsSync(paths.credits)
      ? (JSON.parse(readFileSync(paths.credits, 'utf8')) as { operationCredits: number }).operationCredits
      : full;
  // A hundred come back each second, also while a busy machine notes nothing: they are spent until it is seen.
  const spent = () => {
    for (let request = 0; request < 1000; request++) limiter.admit(4096);
    return noted();
  };
  await expect.poll(spent).toBeLessThanOrEqual(full - 500);
  // Nobody calls `save`.
  const next = new VolumeLimiter();
  next.set(gp2);
  new KeptCredits(layout, 'vol-00000001', next).restore();
  expect(next.credits()?.operationCredits).toBeLessThan(full);
  killed.save();
  rmSync(root, { recursive: true });
});
