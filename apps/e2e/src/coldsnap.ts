import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import {
  CompleteSnapshotCommand,
  type EBSClient,
  GetSnapshotBlockCommand,
  ListSnapshotBlocksCommand,
  PutSnapshotBlockCommand,
  StartSnapshotCommand,
  type StartSnapshotCommandInput,
} from '@aws-sdk/client-ebs';
import { DescribeSnapshotsCommand, type EC2Client } from '@aws-sdk/client-ec2';
import { BLOCK_BYTES, inParallel, readAt } from './image-transfer.ts';

const GIB = 2 ** 30;
/** How often a block is put before the upload is given up. */
const PUT_ATTEMPTS = 12;
const GET_ATTEMPTS = 12;
/** Minutes that the service waits for the next block. */
const TIMEOUT_MINUTES = 10;
/** Blocks that are listed at once. */
const PAGE = 1000;
/** A short wait, since what is waited for is near. */
const POLL_MS = 50;
const ZEROS = Buffer.alloc(BLOCK_BYTES);

const digest = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/** Tries again at once, as coldsnap does. */
const attempts = async <T>(most: number, act: () => Promise<T>): Promise<T> => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await act();
    } catch (error) {
      if (attempt >= most) throw error;
    }
  }
};

const withFile = async <T>(path: string, flags: string, work: (file: FileHandle) => Promise<T>): Promise<T> => {
  const file = await open(path, flags);
  try {
    return await work(file);
  } finally {
    await file.close();
  }
};

/**
 * The calls that coldsnap makes to turn a disk image into a snapshot and back, with its checks, its workers and its attempts.
 * @see awslabs/coldsnap, src/upload.rs, src/download.rs, src/wait.rs
 */
export class Coldsnap {
  constructor(
    private readonly ebs: EBSClient,
    private readonly ec2: EC2Client,
  ) {}

  /** The image becomes a snapshot of whole GiB; zeros are left out. @returns its id, pending, and how many blocks it has */
  async upload(
    path: string,
    options: Partial<StartSnapshotCommandInput> = {},
  ): Promise<{ snapshotId: string; blocks: number }> {
    return withFile(path, 'r', async (file) => {
      const { size } = await file.stat();
      const { SnapshotId = '', BlockSize } = await this.ebs.send(
        new StartSnapshotCommand({ VolumeSize: Math.ceil(size / GIB), Timeout: TIMEOUT_MINUTES, ...options }),
      );
      if (BlockSize !== BLOCK_BYTES) throw new Error(`blocks of ${String(BlockSize)} bytes`);
      const digests = new Map<number, Buffer>();
      await inParallel(Array(Math.ceil(size / BLOCK_BYTES)).keys(), async (index) => {
        const bytes = await readAt(file, index * BLOCK_BYTES, BLOCK_BYTES);
        if (!bytes.equals(ZEROS)) digests.set(index, await this.put(SnapshotId, index, bytes));
      });
      await this.complete(SnapshotId, digests);
      return { snapshotId: SnapshotId, blocks: digests.size };
    });
  }

  /** @returns when the snapshot is completed. @throws Error when it ends otherwise */
  async wait(snapshotId: string): Promise<void> {
    for (;;) {
      const { Snapshots } = await this.ec2.send(new DescribeSnapshotsCommand({ SnapshotIds: [snapshotId] }));
      const { State, StateMessage = '' } = Snapshots?.[0] ?? {};
      if (State === 'completed') return;
      if (State !== 'pending') throw new Error(`${snapshotId} is ${String(State)}: ${StateMessage}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** Into a sparse file of the volume's size. @returns how many blocks the snapshot has */
  async download(snapshotId: string, path: string): Promise<number> {
    const { blocks, volumeSizeGiB } = await this.list(snapshotId);
    return withFile(path, 'wx', async (file) => {
      await file.truncate(volumeSizeGiB * GIB);
      await inParallel(blocks, async ({ index, token }) => {
        const bytes = await attempts(GET_ATTEMPTS, () => this.get(snapshotId, index, token));
        await file.write(bytes, 0, bytes.length, index * BLOCK_BYTES);
      });
      return blocks.length;
    });
  }

  private async list(SnapshotId: string) {
    const blocks: { index: number; token: string }[] = [];
    let volumeSizeGiB = 0;
    let NextToken: string | undefined;
    do {
      const page = await this.ebs.send(new ListSnapshotBlocksCommand({ SnapshotId, MaxResults: PAGE, NextToken }));
      for (const { BlockIndex = -1, BlockToken = '' } of page.Blocks ?? [])
        blocks.push({ index: BlockIndex, token: BlockToken });
      ({ NextToken, VolumeSize: volumeSizeGiB = 0 } = page);
    } while (NextToken !== undefined);
    return { blocks, volumeSizeGiB };
  }

  private async put(SnapshotId: string, BlockIndex: number, BlockData: Buffer): Promise<Buffer> {
    const sha256 = digest(BlockData);
    const block = { SnapshotId, BlockIndex, BlockData, DataLength: BLOCK_BYTES };
    const checksum = { Checksum: sha256.toString('base64'), ChecksumAlgorithm: 'SHA256' } as const;
    await attempts(PUT_ATTEMPTS, async () => {
      const { Checksum } = await this.ebs.send(new PutSnapshotBlockCommand({ ...block, ...checksum }));
      if (Checksum !== checksum.Checksum)
        throw new Error(`block ${String(BlockIndex)} was taken as ${String(Checksum)}`);
    });
    return sha256;
  }

  private async get(SnapshotId: string, BlockIndex: number, BlockToken: string): Promise<Uint8Array> {
    const answer = await this.ebs.send(new GetSnapshotBlockCommand({ SnapshotId, BlockIndex, BlockToken }));
    const bytes = (await answer.BlockData?.transformToByteArray()) ?? new Uint8Array();
    const isWhole = answer.DataLength === BLOCK_BYTES && bytes.length === BLOCK_BYTES;
    const isAsSaid = answer.ChecksumAlgorithm === 'SHA256' && answer.Checksum === digest(bytes).toString('base64');
    if (!isWhole || !isAsSaid) throw new Error(`block ${String(BlockIndex)} is not what its digest says`);
    return bytes;
  }

  private async complete(SnapshotId: string, digests: ReadonlyMap<number, Buffer>): Promise<void> {
    const aggregate = createHash('sha256');
    for (const [, sha256] of [...digests].sort(([a], [b]) => a - b)) aggregate.update(sha256);
    await this.ebs.send(
      new CompleteSnapshotCommand({
        ...{ SnapshotId, ChangedBlocksCount: digests.size, Checksum: aggregate.digest('base64') },
        ...{ ChecksumAlgorithm: 'SHA256', ChecksumAggregationMethod: 'LINEAR' },
      }),
    );
  }
}
