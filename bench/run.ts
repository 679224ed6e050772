// npm run bench [append] [api] [kms] [block] [snapshots] [ebs-direct]: every figure is a ratio against a yardstick measured in the same run; absolute rates are
// this machine's and swing with its neighbours.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from '@holdfast/embedded';
import { type ApiBench, benchApi } from './api.ts';
import { benchAppend } from './append.ts';
import { blockRows } from './block-rows.ts';
import { chartOf } from './chart.ts';
import { ebsDirectRows } from './ebs-direct.ts';
import { kmsRows } from './kms.ts';
import { isHeld, type Row } from './row.ts';
import { snapshotRows } from './snapshot-rows.ts';

const RESULTS = 'bench/results';

const withPostgres = async <T>(work: (adminUrl: string) => Promise<T>): Promise<T> => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-pg-'));
  const postgres = await startPostgres({ dataDir: join(folder, 'data'), password: 'bench', durable: true });
  try {
    return await work(postgres.url);
  } finally {
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  }
};

const append = async (): Promise<Row[]> => {
  const { appendsPerSecond, insertsPerSecond, ratio } = await withPostgres((adminUrl) => benchAppend({ adminUrl }));
  const yardstick = `${String(insertsPerSecond)}/s hand-written INSERT of the same rows`;
  return [
    { figure: 'event append, 16 writers', value: `${String(appendsPerSecond)}/s`, yardstick, ratio, target: 0.6 },
  ];
};

const apiRow = ({ operation, requestsPerSecond, barePerSecond, ratio, p50Ms, p99Ms }: ApiBench): Row => ({
  figure: `${operation}, 16 connections`,
  value: `${String(requestsPerSecond)}/s, p50 ${String(p50Ms)} ms, p99 ${String(p99Ms)} ms`,
  yardstick: `${String(barePerSecond)}/s bare node:http with the same answer`,
  ratio,
});

const api = async (): Promise<Row[]> => (await benchApi()).map(apiRow);

const PARTS: Readonly<Record<string, () => Promise<Row[]>>> = {
  append,
  api,
  kms: () => withPostgres((adminUrl) => kmsRows(adminUrl)),
  block: blockRows,
  snapshots: snapshotRows,
  'ebs-direct': ebsDirectRows,
};

const print = (rows: readonly Row[]) => {
  console.log('| figure | value | yardstick | ratio | floor | aim |');
  console.log('| --- | --- | --- | --- | --- | --- |');
  for (const row of rows) {
    const { figure, value, yardstick, ratio, target, aim, isAtMost = false } = row;
    const sign = isAtMost ? '≤' : '≥';
    const goal = target === undefined ? '' : `${sign} ${String(target)} ${isHeld(row) ? 'held' : 'MISSED'}`;
    console.log(
      `| ${figure} | ${value} | ${yardstick} | ${ratio.toFixed(3)} | ${goal} | ${aim === undefined ? '' : String(aim)} |`,
    );
  }
};

const asked = process.argv.slice(2);
const unknown = asked.filter((part) => !Object.hasOwn(PARTS, part));
if (unknown.length > 0) {
  console.error(`there is no ${unknown.join(', ')}: give some of ${Object.keys(PARTS).join(', ')}`);
  process.exit(1);
}
const rows: Row[] = [];
for (const [name, part] of Object.entries(PARTS)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  console.error(`measuring ${name} …`);
  rows.push(...(await part()));
}
print(rows);
await mkdir(RESULTS, { recursive: true });
const path = join(RESULTS, new Date().toISOString().replaceAll(/[:.]/g, '-'));
const machine = { node: process.version, cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length };
const where = `Node ${machine.node}, ${String(machine.cores)} × ${machine.cpu}`;
await writeFile(`${path}.json`, `${JSON.stringify({ machine, rows }, null, 2)}\n`);
await writeFile(`${path}.svg`, chartOf(rows, where));
console.log(`\n${where}. Also in ${path}.json, and drawn in ${path}.svg.`);
if (!rows.every(isHeld)) process.exitCode = 2;
