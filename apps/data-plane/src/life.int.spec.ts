import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Finding, StoreLayout, verifyStore } from '@holdfast/block-store';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildDataPlane, removeBundle, TestHost, until } from './testing/harness.ts';
import { Life } from './testing/life/life.ts';

/** One that is always the same, so that a run tells of the change that it was made for. */
const DEFAULT_SEED = 20_260_101;
const DEFAULT_STEPS = 60;
const seed = Number(process.env['HOLDFAST_LIFE_SEED'] ?? DEFAULT_SEED);
const steps = Number(process.env['HOLDFAST_LIFE_STEPS'] ?? DEFAULT_STEPS);
/** Every other life goes past the page cache. */
const io = seed % 2 === 0 ? 'direct' : 'buffered';
const COLLECTED_MS = 60_000;

let bundle: string;
let host: TestHost;
beforeAll(async () => {
  bundle = await buildDataPlane();
  host = new TestHost(bundle, { HOLDFAST_VOLUME_IO: io });
  await host.start();
}, 300_000);
afterAll(async () => {
  await host.stop();
  removeBundle(bundle);
});

const layout = () => new StoreLayout(join(host.home, 'data-plane'));

const stored = (): string[] =>
  readdirSync(layout().blocks)
    .flatMap((folder) => readdirSync(join(layout().blocks, folder)).map((file) => folder + file))
    .sort();

const files = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name));

it(`24 hours of a data plane, against a model in memory`, { timeout: 300_000 + steps * 30_000 }, async () => {
  process.stdout.write(`life: HOLDFAST_LIFE_SEED=${seed} HOLDFAST_LIFE_STEPS=${steps} (${io})\n`);
  const verbose = process.env['HOLDFAST_LIFE_VERBOSE'] !== undefined;
  const onStep = (step: number, what: string) =>
    verbose ? void process.stdout.write(`${(performance.now() / 1_000).toFixed(1)} ${step}: ${what}\n`) : undefined;
  const life = new Life(host, { seed, steps, onStep });
  try {
    await life.run();
    await life.check('at the end');
    const [first] = life.snapshots;
    if (first !== undefined) await life.removeSnapshot(first);
    let findings: readonly Finding[] = [];
    const isClean = async () => (findings = (await verifyStore(layout())).findings).length === 0;
    await until('the store holds what is needed and nothing else', isClean, COLLECTED_MS).catch(() => undefined);
    expect(findings).toEqual([]);
    await life.check('after the collection');
    await life.end();
    await until('every block is collected', () => stored().length === 0, COLLECTED_MS);
    expect(files(join(host.home, 'data-plane')).concat(files(join(host.home, 'instances')))).toEqual([]);
    expect([...layout().volumeIds(), ...layout().snapshotIds()]).toEqual([]);
  } catch (error) {
    if (error instanceof Error)
      error.message += `\nHOLDFAST_LIFE_SEED=${seed} HOLDFAST_LIFE_STEPS=${steps}\n${life.trace.join('\n')}\n${host.log.slice(-6_000)}`;
    throw error;
  }
});
