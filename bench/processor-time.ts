// Processor time by Linux's /proc: what a figure costs, which swings less than how fast it is when the machine has other work.
import { readdirSync, readFileSync } from 'node:fs';

/** Ticks of /proc/<pid>/stat are 10 ms; schedstat counts nanoseconds, where the kernel keeps it. */
const TICKS_PER_SECOND = 100;

interface ProcessTimes {
  readonly parent: number;
  readonly seconds: number;
}

/** Of the threads that there are; one that ended meanwhile is missed. */
const threadSeconds = (pid: string | number): number => {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
    } catch {
      // It has just ended.
    }
  }
  return nanoseconds / 1e9;
};

const timesOf = (pid: string | number): ProcessTimes | null => {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    const ticks = (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
    return { parent: Number(fields[1]), seconds: threadSeconds(pid) || ticks };
  } catch {
    return null; // It has ended, or this is not Linux.
  }
};

/** User and system time of one process, in seconds; null where /proc does not tell. */
export const processorSeconds = (pid: number | undefined): number | null =>
  pid === undefined ? null : (timesOf(pid)?.seconds ?? null);

/** Of a process and all that it started, as far as they run; null where /proc does not tell. */
export const treeSeconds = (root: number): number | null => {
  const own = timesOf(root);
  if (own === null) return null;
  const all = new Map<number, ProcessTimes>();
  for (const name of readdirSync('/proc')) {
    const times = /^\d+$/.test(name) ? timesOf(name) : null;
    if (times !== null) all.set(Number(name), times);
  }
  const isIn = (pid: number): boolean => {
    for (let at = pid; at > 1; at = all.get(at)?.parent ?? 0) if (at === root) return true;
    return false;
  };
  let sum = 0;
  for (const [pid, { seconds }] of all) if (isIn(pid)) sum += seconds;
  return sum;
};
