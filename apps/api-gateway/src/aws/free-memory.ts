import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Transfer = (this: ArrayBuffer, newLength: number) => ArrayBuffer;

/** ES2024; Node 20 has it behind a flag, which counts for contexts that are made after it was set. Null: it has none. */
const transfer = ((): Transfer | null => {
  const own = (ArrayBuffer.prototype as { transfer?: Transfer }).transfer;
  if (own !== undefined) return own;
  try {
    setFlagsFromString('--harmony-rab-gsab-transfer');
    return (runInNewContext('ArrayBuffer.prototype.transfer') as Transfer | undefined) ?? null;
  } catch {
    return null;
  }
})();

/**
 * Gives the memory of bytes that nobody reads any more back at once. What waits for a collection counts as pressure on memory,
 * for which V8 collects the whole heap every fifty blocks of EBS direct. What shares its memory with others stays.
 */
export const freeMemory = (bytes: Buffer<ArrayBuffer>): void => {
  const isAllOfIt = bytes.byteOffset === 0 && bytes.length === bytes.buffer.byteLength;
  if (isAllOfIt) transfer?.call(bytes.buffer, 0);
};
