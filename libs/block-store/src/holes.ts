import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** What libs/block-store/native/holes.c exports. */
interface HolesAddon {
  /** @returns 0, or the system's error number. */
  punch(fd: number, offset: number, length: number): number;
}

/** From the sources, and from a bundle in dist/ or a folder of it. */
const ADDON_PATHS = [
  '../native/build/holes.node',
  '../libs/block-store/native/build/holes.node',
  '../../libs/block-store/native/build/holes.node',
];

const load = (): HolesAddon | null => {
  const path = ADDON_PATHS.map((relative) => fileURLToPath(new URL(relative, import.meta.url))).find(existsSync);
  if (path === undefined) return null;
  try {
    return createRequire(import.meta.url)(path) as HolesAddon;
  } catch {
    return null; // Built for another system: zeros are written instead.
  }
};

let addon: HolesAddon | null | undefined;

/**
 * Gives the space of a range back to the file system, or to the device; it reads as zeros afterwards, and is as durable as what
 * was written.
 * @returns false when that can't be done here, and nothing was changed.
 */
export const punchHole = (fd: number, offsetBytes: number, lengthBytes: number): boolean => {
  addon ??= load();
  return addon !== null && addon.punch(fd, offsetBytes, lengthBytes) === 0;
};
