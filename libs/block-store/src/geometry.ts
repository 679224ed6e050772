/** What snapshots, change tracking and the block store count in (AWS: EBS direct APIs, BlockSize). */
export const BLOCK_SIZE_BYTES = 524_288;
/** What the cipher counts in: one XTS data unit, tweak = its number from the volume's start. */
export const UNIT_SIZE_BYTES = 4_096;
export const UNITS_PER_BLOCK = BLOCK_SIZE_BYTES / UNIT_SIZE_BYTES;
export const GIB = 1_073_741_824;
/** AWS's largest volume (io2, 64 TiB); bounds what a damaged header can make us allocate. */
export const MAX_VOLUME_GIB = 65_536;

const ZERO_BLOCK = Buffer.alloc(BLOCK_SIZE_BYTES);

/** Whether all of at most 512 KiB is zero. */
export const isZero = (bytes: Uint8Array): boolean => ZERO_BLOCK.subarray(0, bytes.length).equals(bytes);

/** @returns a view on a shared buffer of zeros, at most 512 KiB long; not to be written to. */
export const zeros = (lengthBytes: number): Buffer => ZERO_BLOCK.subarray(0, lengthBytes);

/** @throws RangeError unless 0 <= offset, 0 <= length and offset + length <= size, all integers. */
export const assertRange = (offsetBytes: number, lengthBytes: number, sizeBytes: number): void => {
  const inside =
    Number.isSafeInteger(offsetBytes) &&
    Number.isSafeInteger(lengthBytes) &&
    offsetBytes >= 0 &&
    lengthBytes >= 0 &&
    offsetBytes <= sizeBytes - lengthBytes;
  if (!inside) throw new RangeError(`range ${offsetBytes}+${lengthBytes} is outside a device of ${sizeBytes} bytes`);
};
