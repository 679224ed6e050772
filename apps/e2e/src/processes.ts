import { readdir, readFile } from 'node:fs/promises';

/** Processes of block hosts below a stack's main process, by their command lines (Linux). */
export const blockHostPids = async (stackPid: number): Promise<number[]> => {
  const found: number[] = [];
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const [commandLine, status] = await Promise.all([
        readFile(`/proc/${entry}/cmdline`, 'utf8'),
        readFile(`/proc/${entry}/status`, 'utf8'),
      ]);
      const parent = Number(/^PPid:\s*(\d+)$/m.exec(status)?.[1]);
      if (parent === stackPid && commandLine.includes('block-host')) found.push(Number(entry));
    } catch {
      continue; // It has ended meanwhile.
    }
  }
  return found;
};
