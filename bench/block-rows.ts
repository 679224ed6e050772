import { benchBlock, BLOCK_WORKLOADS, type BlockSample, type BlockServerName, pairedRatio } from './block.ts';
import { median } from './median.ts';
import type { Row } from './row.ts';

const YARDSTICKS: Readonly<Partial<Record<BlockServerName, string>>> = {
  plain: 'the same, unencrypted',
  'qemu-luks': 'qemu-nbd, LUKS',
  'qemu-raw': 'qemu-nbd, unencrypted',
  nbdkit: 'nbdkit, unencrypted',
};
/** Encrypted requests per second, of unencrypted ones. Large requests are bound by memory: only small ones are promised. */
const ENCRYPTED_TARGET = 0.85;
const SMALL = /^4 KiB/;

/** Encrypted volumes, beside unencrypted ones and other servers; then what is lost without the addon. */
export const blockRows = async (): Promise<Row[]> => {
  const { engine, missing, samples } = await benchBlock();
  for (const [name, reason] of Object.entries(missing)) console.error(`without ${name}: ${reason}`);
  return BLOCK_WORKLOADS.flatMap((workload) => {
    const { encrypted, 'encrypted-fallback': fallback, ...others } = samples[workload];
    if (encrypted === undefined) throw new Error('our own server did not start');
    const rows: Row[] = [];
    for (const [name, yardstick] of Object.entries(YARDSTICKS) as [keyof typeof others, string][]) {
      const theirs = others[name];
      if (theirs === undefined) continue;
      const isPromised = name === 'plain' && engine === 'openssl-addon' && SMALL.test(workload);
      rows.push({
        figure: `NBD ${workload}, encrypted`,
        value: describe(encrypted),
        yardstick: `${describe(theirs)} ${yardstick}`,
        ratio: pairedRatio(encrypted, theirs),
        target: isPromised ? ENCRYPTED_TARGET : undefined,
      });
    }
    if (fallback !== undefined && others.plain !== undefined) {
      rows.push({
        figure: `NBD ${workload}, encrypted without the addon`,
        value: describe(fallback),
        yardstick: `${describe(others.plain)} the same, unencrypted`,
        ratio: pairedRatio(fallback, others.plain),
      });
    }
    return rows;
  });
};

/** Processor time is the server's: it swings less than the rate when the machine has other work. */
const describe = (samples: readonly BlockSample[]): string => {
  const rate = Math.round(median(samples.map(({ iops }) => iops)));
  const cpu = samples.map(({ cpuMicros }) => cpuMicros).filter((micros) => micros !== null);
  return `${String(rate)}/s${cpu.length === 0 ? '' : ` (${median(cpu).toFixed(1)} µs CPU)`}`;
};
