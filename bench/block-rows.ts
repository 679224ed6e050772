import {
  benchBlock,
  BLOCK_WORKLOADS,
  type BlockBench,
  type BlockSample,
  type BlockServerName,
  type BlockWorkload,
  CAPPED_IOPS,
  pairedRatio,
} from './block.ts';
import { median } from './median.ts';
import type { Row } from './row.ts';

const YARDSTICKS: Readonly<Partial<Record<BlockServerName, string>>> = {
  plain: 'the same, unencrypted',
  'qemu-luks': 'qemu-nbd, LUKS',
  'qemu-raw': 'qemu-nbd, unencrypted',
  nbdkit: 'nbdkit, unencrypted',
};

interface Goal {
  readonly target: number;
  readonly aim: number;
}

const READ_32 = '4 KiB random read, QD 32';
const WRITE_32 = '4 KiB random write, QD 32';

/** Requests per second, encrypted, of each yardstick's: by yardstick and workload. With the addon. */
const GOALS: Readonly<Partial<Record<BlockServerName, Partial<Record<BlockWorkload, Goal>>>>> = {
  plain: {
    [READ_32]: { target: 0.93, aim: 0.98 },
    [WRITE_32]: { target: 0.93, aim: 0.98 },
    '4 KiB random read, QD 1': { target: 0.95, aim: 1 },
    '4 KiB random write, QD 1': { target: 0.95, aim: 1 },
    '128 KiB sequential read, QD 8': { target: 0.7, aim: 0.83 },
    '128 KiB sequential write, QD 8': { target: 0.7, aim: 0.83 },
  },
  'qemu-luks': { [READ_32]: { target: 3, aim: 6 }, [WRITE_32]: { target: 2.5, aim: 4 } },
  nbdkit: { [READ_32]: { target: 1, aim: 1.5 } },
};
const FALLBACK_GOAL: Goal = { target: 0.5, aim: 0.8 };
const CAPPED_GOAL: Goal = { target: 0.99, aim: 1 };
/** Microseconds of the server's processor time for a request, at most. */
const PROCESSOR_GOALS: Readonly<Partial<Record<BlockWorkload, Goal>>> = {
  [READ_32]: { target: 6, aim: 4.2 },
  [WRITE_32]: { target: 7, aim: 4.8 },
};
/** Microseconds that encryption adds to the median latency at QD 1, at most. */
const ADDED_LATENCY: Goal = { target: 1, aim: 0.4 };

/** Encrypted volumes, beside unencrypted ones and other servers; then what is lost without the addon. */
export const blockRows = async (): Promise<Row[]> => {
  const bench = await benchBlock();
  for (const [name, reason] of Object.entries(bench.missing)) console.error(`without ${name}: ${reason}`);
  return BLOCK_WORKLOADS.flatMap((workload) => rowsOf(bench, workload));
};

const rowsOf = ({ engine, samples }: BlockBench, workload: BlockWorkload): Row[] => {
  const { encrypted, 'encrypted-fallback': fallback, 'encrypted-capped': capped, ...others } = samples[workload];
  if (encrypted === undefined) throw new Error('our own server did not start');
  const isAddon = engine === 'openssl-addon';
  const rows: Row[] = [];
  for (const [name, yardstick] of Object.entries(YARDSTICKS) as [keyof typeof others, string][]) {
    const theirs = others[name];
    if (theirs === undefined) continue;
    rows.push({
      figure: `NBD ${workload}, encrypted`,
      value: describe(encrypted),
      yardstick: `${describe(theirs)} ${yardstick}`,
      ratio: pairedRatio(encrypted, theirs),
      ...(isAddon ? GOALS[name]?.[workload] : {}),
    });
  }
  const cpu = medianOf(encrypted, ({ cpuMicros }) => cpuMicros);
  const cpuGoal = PROCESSOR_GOALS[workload];
  if (cpu !== null && cpuGoal !== undefined && isAddon) {
    const figure = `NBD ${workload}, encrypted: processor time of the server`;
    rows.push({ figure, value: `${cpu.toFixed(1)} µs`, yardstick: '1 µs', ratio: cpu, ...cpuGoal, isAtMost: true });
  }
  const { plain } = others;
  if (plain === undefined) return rows;
  if (workload.endsWith('QD 1') && isAddon) {
    const p50 = (sample: BlockSample | undefined) => sample?.p50Micros ?? Number.NaN;
    const added = median(encrypted.map((sample, round) => p50(sample) - p50(plain[round])));
    const figure = `NBD ${workload}: median latency that encryption adds`;
    rows.push({
      figure,
      value: `${added.toFixed(2)} µs`,
      yardstick: '1 µs',
      ratio: added,
      ...ADDED_LATENCY,
      isAtMost: true,
    });
  }
  const { 'plain-capped': plainCapped } = others;
  if (capped !== undefined && plainCapped !== undefined) {
    rows.push({
      figure: `NBD ${workload}, encrypted, under a cap of ${String(CAPPED_IOPS)} IOPS`,
      value: describe(capped),
      yardstick: `${describe(plainCapped)} the same, unencrypted`,
      ratio: pairedRatio(capped, plainCapped),
      ...CAPPED_GOAL,
    });
  }
  if (fallback !== undefined) {
    rows.push({
      figure: `NBD ${workload}, encrypted without the addon`,
      value: describe(fallback),
      yardstick: `${describe(plain)} the same, unencrypted`,
      ratio: pairedRatio(fallback, plain),
      ...(workload === READ_32 || workload === WRITE_32 ? FALLBACK_GOAL : {}),
    });
  }
  return rows;
};

const medianOf = (samples: readonly BlockSample[], of: (sample: BlockSample) => number | null): number | null => {
  const known = samples.map(of).filter((value) => value !== null);
  return known.length === 0 ? null : median(known);
};

/** Processor time is the server's: it swings less than the rate when the machine has other work. */
const describe = (samples: readonly BlockSample[]): string => {
  const rate = Math.round(median(samples.map(({ iops }) => iops)));
  const cpu = medianOf(samples, ({ cpuMicros }) => cpuMicros);
  return `${String(rate)}/s${cpu === null ? '' : ` (${cpu.toFixed(1)} µs CPU)`}`;
};
