import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Bitmap } from './bitmap.ts';
import { DEVICE_DATA_OFFSET_BYTES, deviceSizeBytes, readLabel, writeLabel } from './device-label.ts';
import { BLOCK_SIZE_BYTES as BLOCK, isZero, zeros } from './geometry.ts';

/** How often it is noted how far it has come: after so many blocks. */
const NOTE_EVERY = 2_048;

/**
 * Makes a device that is to be zeroed read as zeros and then `free`, all of it durably. What is zero already is only read:
 * that is quicker, wears no flash, and takes no room where the device is a sparse one itself. Goes on where it was stopped.
 * @param used blocks of the volume that was on it, when everything else is known to be zero; null: nothing is known.
 * @returns false when it was stopped.
 */
export const zeroDevice = async (path: string, used: Bitmap | null, signal: AbortSignal): Promise<boolean> => {
  const device = await open(path, constants.O_RDWR | constants.O_EXCL);
  try {
    const label = readLabel(device.fd);
    if (typeof label !== 'object' || label.state !== 'zeroing') return true;
    const sizeBytes = deviceSizeBytes(device.fd) - DEVICE_DATA_OFFSET_BYTES;
    const end = used === null ? Math.ceil(sizeBytes / BLOCK) : Math.min(used.length, Math.ceil(sizeBytes / BLOCK));
    const note = async (block: number): Promise<void> => {
      await device.datasync();
      writeLabel(device.fd, { ...label, zeroedBytes: Math.min(sizeBytes, block * BLOCK) });
    };
    const content = Buffer.alloc(BLOCK);
    for (let block = Math.floor(label.zeroedBytes / BLOCK), seen = 1; block < end; block++, seen++) {
      if (signal.aborted) {
        await note(block);
        return false;
      }
      if (used !== null && !used.get(block)) continue;
      await zeroBlock(device, block, content.subarray(0, Math.min(BLOCK, sizeBytes - block * BLOCK)));
      if (seen % NOTE_EVERY === 0) await note(block + 1);
    }
    await device.datasync();
    writeLabel(device.fd, { ...label, state: 'free', volumeId: null, zeroedBytes: 0 });
    return true;
  } finally {
    await device.close();
  }
};

const zeroBlock = async (device: FileHandle, block: number, content: Buffer): Promise<void> => {
  const at = DEVICE_DATA_OFFSET_BYTES + block * BLOCK;
  for (let done = 0; done < content.length;) {
    const { bytesRead } = await device.read(content, done, content.length - done, at + done);
    if (bytesRead === 0) throw new Error('a device that is shorter than it says');
    done += bytesRead;
  }
  if (isZero(content)) return;
  for (let done = 0; done < content.length;) {
    const { bytesWritten } = await device.write(zeros(content.length - done), 0, content.length - done, at + done);
    done += bytesWritten;
  }
};
