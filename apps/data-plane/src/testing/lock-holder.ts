import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { VolumeId } from '@holdfast/contracts';

/** @returns the process that has the volume open; NaN when there is none. */
export const lockHolder = (home: string, volumeId: VolumeId): number => {
  try {
    return Number.parseInt(readlinkSync(join(home, 'data-plane', 'volumes', volumeId, 'lock')), 10);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Number.NaN;
    throw error;
  }
};
