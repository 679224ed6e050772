import { readFileSync, readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Another process has the volume open. */
export class VolumeLocked extends Error {
  override readonly name = 'VolumeLocked';
}

const RETRY_MS = 50;

/** Process id and start time: a number that is used again after a restart names another process. */
export const identityOf = (pid: number): string | null => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name, in parentheses, may hold anything; start time is field 22, the 20th after it.
    const [, startTime] = [stat, stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]];
    return `${pid} ${startTime ?? ''}`;
  } catch {
    if (process.platform === 'linux') return null;
  }
  try {
    process.kill(pid, 0);
    return `${pid} `;
  } catch {
    return null;
  }
};

/** @param content what `identityOf` once said. @returns whether that process still runs. */
export const isHeld = (content: string): boolean => identityOf(Number.parseInt(content, 10)) === content;

const holderOf = (path: string): string | null => {
  try {
    return readlinkSync(path, 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
};

/**
 * Makes this process the only one that has a volume open; a lock whose process is gone is taken over. The lock is a symbolic
 * link to nowhere that tells its holder: it is made whole or not at all, and also where a full disk has no block for a file.
 * @param waitMs how long a process that is about to end is waited for.
 * @returns gives the lock back.
 * @throws VolumeLocked
 */
export const lockVolume = async (path: string, waitMs: number): Promise<() => void> => {
  const own = identityOf(process.pid);
  if (own === null) throw new Error('a process that cannot see itself');
  const deadline = performance.now() + waitMs;
  for (;;) {
    try {
      symlinkSync(own, path);
      return () => rmSync(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = holderOf(path);
    if (holder !== null && !isHeld(holder)) takeAway(path, holder);
    else if (performance.now() >= deadline) throw new VolumeLocked(`${path} is held by process ${holder ?? 'unknown'}`);
    else await sleep(RETRY_MS);
  }
};

/** By renaming: of two processes that see the same dead holder, only one moves its file, and puts back a live one's. */
const takeAway = (path: string, holder: string): void => {
  const aside = `${path}.${process.pid}.dead`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if (holderOf(aside) === holder) rmSync(aside, { force: true });
  else renameSync(aside, path);
};
