import type { ebs } from '@holdfast/aws-protocol';
import type { BlockTransfer, RequestContext } from '@holdfast/contracts';
import { seal } from '@holdfast/sealing';
import { alreadyCompleted, fromDataPlane, invalidRequest } from './ebs-direct-errors.ts';
import type { DirectParts } from './ebs-direct-ports.ts';
import { callersKeyUse, describeKey, ownedSnapshot, readableSnapshot } from './ebs-direct-snapshots.ts';

const BLOCK_SIZE_BYTES = 524_288;
const BLOCKS_PER_GIB = 2048;
/**
 * For so long a caller's blocks go by what was found of the snapshot, the key and the caller's permission on it: between a
 * thousand blocks a second KMS is asked once.
 */
const TRANSFER_LIFE_MS = 5_000;

/**
 * PutSnapshotBlock and GetSnapshotBlock: who may, and where. The blocks go between the gateway and the host, and for a while
 * the gateway asks only what it finds no leave for: another snapshot, a block beyond the end, a token that is not one.
 */
export class SnapshotBlocks {
  constructor(private readonly parts: DirectParts) {}

  async put(input: ebs.PutSnapshotBlockRequest, context: RequestContext): Promise<BlockTransfer> {
    const { SnapshotId, BlockIndex, DataLength } = input;
    if (DataLength !== BLOCK_SIZE_BYTES)
      throw invalidRequest(
        'INVALID_BLOCK',
        `Block data length ${String(DataLength)} is not valid, expected ${String(BLOCK_SIZE_BYTES)}`,
      );
    return this.open(await this.writableSnapshot(SnapshotId, context), 'put', BlockIndex, context);
  }

  async get(input: ebs.GetSnapshotBlockRequest, context: RequestContext): Promise<BlockTransfer> {
    const { SnapshotId, BlockIndex, BlockToken } = input;
    const { tokens, clock } = this.parts;
    tokens.checkBlock(BlockToken, SnapshotId, BlockIndex, context, clock.now());
    const record = await readableSnapshot(SnapshotId, this.parts, context);
    await describeKey(record, this.parts, context);
    const transfer = await this.open(record, 'get', BlockIndex, context);
    const tokenKey = tokens.blockKeyOf(SnapshotId, context);
    return { ...transfer, sealedTokenKey: await seal(recipientOf(context), tokenKey, transfer.sessionId) };
  }

  private async open(
    { snapshotId, volumeSizeGiB, dataKey }: Awaited<ReturnType<typeof readableSnapshot>>,
    operation: 'get' | 'put',
    blockIndex: number,
    context: RequestContext,
  ): Promise<BlockTransfer> {
    if (blockIndex >= volumeSizeGiB * BLOCKS_PER_GIB)
      throw invalidRequest('INVALID_BLOCK', `Block index ${String(blockIndex)} is beyond the volume size extent`);
    recipientOf(context);
    const input = {
      ...{ snapshotId, operation, accountId: context.accountId },
      dataKey: dataKey === null ? undefined : callersKeyUse(dataKey, context),
    };
    // The ticket key is sealed to the gateway: nobody else learns it.
    const session = await this.parts.requests
      .call('data-plane', 'OpenBlockSession', input, context)
      .catch(fromDataPlane(snapshotId));
    return { ...session, volumeSizeGiB, lifeMs: TRANSFER_LIFE_MS };
  }

  private async writableSnapshot(text: string, context: RequestContext) {
    const record = await ownedSnapshot(text, this.parts, context);
    if (record.state !== 'pending') throw alreadyCompleted();
    const { started } = await this.parts.snapshots.load(record.snapshotId);
    if (started?.type !== 'SnapshotStarted' || started.direct === undefined)
      throw invalidRequest('INVALID_SNAPSHOT_ID', `Snapshot ${text} was not created with StartSnapshot.`);
    return record;
  }
}

const recipientOf = ({ recipientPublicKey }: RequestContext): string => {
  if (recipientPublicKey === undefined) throw new Error('nobody to seal the keys of tickets and tokens to');
  return recipientPublicKey;
};
