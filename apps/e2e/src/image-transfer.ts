import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import {
  CompleteSnapshotCommand,
  type EBSClient,
  GetSnapshotBlockCommand,
  ListSnapshotBlocksCommand,
  PutSnapshotBlockCommand,
} from '@aws-sdk/client-ebs';

const BLOCK_BYTES = 524_288;
/** Blocks on their way at once, as coldsnap has them. */
const WORKERS = 64;
const COMPARED_BYTES = 8 * BLOCK_BYTES;
const ZEROS = Buffer.alloc(BLOCK_BYTES);

const digest = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

export const inParallel = async <T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> => {
  const queue = items[Symbol.iterator]();
  const worker = async () => {
    for (let next = queue.next(); next.done !== true; next = queue.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: WORKERS }, worker));
};

/** Makes an image of `sizeBytes`: so many random blocks spread over it, the first and the last included, holes between. */
export const makeImage = async (path: string, sizeBytes: number, filledBlocks: number): Promise<void> => {
  const file = await open(path, 'wx');
  try {
    await file.truncate(sizeBytes);
    const last = sizeBytes / BLOCK_BYTES - 1;
    for (let block = 0; block < filledBlocks; block++) {
      const place = Math.floor((block * last) / Math.max(1, filledBlocks - 1));
      await file.write(randomBytes(BLOCK_BYTES), 0, BLOCK_BYTES, place * BLOCK_BYTES);
    }
  } finally {
    await file.close();
  }
};

const readAt = async (file: FileHandle, offset: number, length: number): Promise<Buffer> => {
  const bytes = Buffer.alloc(length); // What lies beyond the file's end is zeros.
  await file.read(bytes, 0, length, offset);
  return bytes;
};

/** As coldsnap does it: zeros are skipped, each block has its digest, and their aggregate completes the snapshot. */
export const uploadImage = async (ebs: EBSClient, snapshotId: string, path: string): Promise<number> => {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const digests = new Map<number, Buffer>();
    await inParallel(Array(Math.ceil(size / BLOCK_BYTES)).keys(), async (BlockIndex) => {
      const BlockData = await readAt(file, BlockIndex * BLOCK_BYTES, BLOCK_BYTES);
      if (BlockData.equals(ZEROS)) return;
      const sha256 = digest(BlockData);
      const block = { SnapshotId: snapshotId, BlockIndex, BlockData, DataLength: BLOCK_BYTES };
      const checksum = { Checksum: sha256.toString('base64'), ChecksumAlgorithm: 'SHA256' } as const;
      const { Checksum } = await ebs.send(new PutSnapshotBlockCommand({ ...block, ...checksum }));
      if (Checksum !== checksum.Checksum)
        throw new Error(`block ${String(BlockIndex)} was taken as ${String(Checksum)}`);
      digests.set(BlockIndex, sha256);
    });
    const aggregate = createHash('sha256');
    for (const [, sha256] of [...digests].sort(([a], [b]) => a - b)) aggregate.update(sha256);
    await ebs.send(
      new CompleteSnapshotCommand({
        ...{ SnapshotId: snapshotId, ChangedBlocksCount: digests.size, Checksum: aggregate.digest('base64') },
        ...{ ChecksumAlgorithm: 'SHA256', ChecksumAggregationMethod: 'LINEAR' },
      }),
    );
    return digests.size;
  } finally {
    await file.close();
  }
};

export async function* listBlocks(ebs: EBSClient, SnapshotId: string, MaxResults = 1000) {
  for (let NextToken: string | undefined, isFirst = true; isFirst || NextToken !== undefined; isFirst = false) {
    const page = await ebs.send(new ListSnapshotBlocksCommand({ SnapshotId, MaxResults, NextToken }));
    yield* page.Blocks ?? [];
    ({ NextToken } = page);
  }
}

/** Into a sparse file of the volume's size; each block is checked against its digest. */
export const downloadImage = async (ebs: EBSClient, SnapshotId: string, path: string, sizeBytes: number) => {
  const file = await open(path, 'wx');
  try {
    await file.truncate(sizeBytes);
    const blocks = [];
    for await (const block of listBlocks(ebs, SnapshotId)) blocks.push(block);
    await inParallel(blocks, async ({ BlockIndex = -1, BlockToken }) => {
      const answer = await ebs.send(new GetSnapshotBlockCommand({ SnapshotId, BlockIndex, BlockToken }));
      const bytes = (await answer.BlockData?.transformToByteArray()) ?? new Uint8Array();
      const isAsSaid = answer.ChecksumAlgorithm === 'SHA256' && answer.Checksum === digest(bytes).toString('base64');
      if (!isAsSaid || bytes.length !== BLOCK_BYTES)
        throw new Error(`block ${String(BlockIndex)} is not what its digest says`);
      await file.write(bytes, 0, bytes.length, BlockIndex * BLOCK_BYTES);
    });
    return blocks.length;
  } finally {
    await file.close();
  }
};

/** @returns the first offset, to 4 MiB, at which two files differ; null: they are the same. */
export const firstDifference = async (left: string, right: string): Promise<number | null> => {
  const files = [await open(left), await open(right)] as const;
  try {
    const [{ size }, other] = [await files[0].stat(), await files[1].stat()];
    if (size !== other.size) return Math.min(size, other.size);
    for (let at = 0; at < size; at += COMPARED_BYTES) {
      const [a, b] = await Promise.all([readAt(files[0], at, COMPARED_BYTES), readAt(files[1], at, COMPARED_BYTES)]);
      if (!a.equals(b)) return at;
    }
    return null;
  } finally {
    for (const file of files) await file.close();
  }
};
