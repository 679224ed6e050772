import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { isAlive } from '@holdfast/embedded';
import { UserError } from './errors.ts';

/** Process ids are used again; together with the start time (clock ticks since boot, Linux only) they are not. */
const identityOf = (pid: number): string => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return `${pid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''}`;
  } catch {
    return `${pid} `;
  }
};

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
};

const holderLives = (holder: string): boolean => {
  const pid = Number(holder.split(' ')[0]);
  return Number.isInteger(pid) && pid > 0 && isAlive(pid) && identityOf(pid) === holder;
};

/**
 * Holds `path` for this process until the returned function is called. A lock whose process is gone counts for nothing.
 * @throws UserError when another live process holds it.
 */
export const takeLock = (path: string, refusal: (pid: number) => string): (() => void) => {
  const mine = identityOf(process.pid);
  const aside = `${path}.${process.pid}`;
  writeFileSync(aside, mine, { mode: 0o600 });
  try {
    for (;;) {
      try {
        linkSync(aside, path); // Unlike a rename, a link never replaces: of several only one succeeds.
        break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const holder = read(path);
      if (holder === undefined) continue;
      if (holderLives(holder)) throw new UserError(refusal(Number(holder.split(' ')[0])));
      removeStale(path, holder, `${aside}.stale`);
    }
  } finally {
    rmSync(aside, { force: true });
  }
  return () => {
    if (read(path) === mine) rmSync(path, { force: true });
  };
};

/** Another process may have done the same and hold a fresh lock by now: what was moved away is looked at once more. */
const removeStale = (path: string, holder: string, aside: string): void => {
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  if (read(aside) !== holder) {
    try {
      linkSync(aside, path);
    } catch {
      // A third one holds it now.
    }
  }
  rmSync(aside, { force: true });
};
