import type { ebs } from '@holdfast/aws-protocol';
import { instant, type ListedBlock, type RequestContext, type SnapshotRecord } from '@holdfast/contracts';
import { fromDataPlane, invalidRequest } from './ebs-direct-errors.ts';
import type { DirectParts } from './ebs-direct-ports.ts';
import { lineageOf, mayList, readableSnapshot } from './ebs-direct-snapshots.ts';

const BLOCK_SIZE_BYTES = 524_288;
/** What one message on the bus has room for; pages may be shorter than was asked. */
const MAX_BLOCKS = 10_000;
const MAX_CHANGED_BLOCKS = 5_000;

interface Asked {
  readonly NextToken?: string;
  readonly StartingBlockIndex?: number;
  readonly MaxResults?: number;
}

/** Which blocks there are to get, each with the token that gets it. */
export class BlockLists {
  constructor(private readonly parts: DirectParts) {}

  async all(input: ebs.ListSnapshotBlocksRequest, context: RequestContext): Promise<ebs.ListSnapshotBlocksResponse> {
    const { tokens, clock } = this.parts;
    const snapshot = await readableSnapshot(input.SnapshotId, this.parts, context);
    await mayList(snapshot, this.parts, context);
    const page = await this.page('ListSnapshotBlocks', input, MAX_BLOCKS, snapshot, null, context);
    const expiry = tokens.expiry(clock.now());
    return {
      Blocks: page.blocks.map(([BlockIndex]) => ({
        BlockIndex,
        BlockToken: tokens.block(snapshot.snapshotId, BlockIndex, context, expiry),
      })),
      ExpiryTime: instant(page.blocks.length === 0 ? clock.now() : expiry),
      VolumeSize: page.sizeGiB,
      BlockSize: BLOCK_SIZE_BYTES,
      NextToken: page.nextToken,
    };
  }

  async changed(input: ebs.ListChangedBlocksRequest, context: RequestContext): Promise<ebs.ListChangedBlocksResponse> {
    const { tokens, clock } = this.parts;
    const { FirstSnapshotId } = input;
    const second = await readableSnapshot(input.SecondSnapshotId, this.parts, context);
    const first = FirstSnapshotId === undefined ? null : await readableSnapshot(FirstSnapshotId, this.parts, context);
    if (first !== null) await this.checkRelated(first, second);
    for (const snapshot of first === null ? [second] : [first, second]) await mayList(snapshot, this.parts, context);
    const page = await this.page('ListChangedBlocks', input, MAX_CHANGED_BLOCKS, second, first, context);
    if (page.blocks.length === 0) return { ChangedBlocks: [], NextToken: page.nextToken };
    const expiry = tokens.expiry(clock.now());
    const token = (snapshot: SnapshotRecord | null, block: number, isThere: boolean) =>
      snapshot === null || !isThere ? undefined : tokens.block(snapshot.snapshotId, block, context, expiry);
    return {
      ChangedBlocks: page.blocks.map(([BlockIndex, isIn]) => ({
        BlockIndex,
        FirstBlockToken: token(first, BlockIndex, isIn !== 'second'),
        SecondBlockToken: token(second, BlockIndex, isIn !== 'first'),
      })),
      ExpiryTime: instant(expiry),
      VolumeSize: page.sizeGiB,
      BlockSize: BLOCK_SIZE_BYTES,
      NextToken: page.nextToken,
    };
  }

  private async checkRelated(first: SnapshotRecord, second: SnapshotRecord): Promise<void> {
    const [one, other] = await Promise.all([first, second].map(({ snapshotId }) => lineageOf(snapshotId, this.parts)));
    if (one !== other) throw invalidRequest('UNRELATED_SNAPSHOTS', 'The snapshots are not related.');
  }

  private async page(
    action: string,
    { NextToken, StartingBlockIndex = 0, MaxResults = MAX_BLOCKS }: Asked,
    maximum: number,
    snapshot: SnapshotRecord,
    first: SnapshotRecord | null,
    context: RequestContext,
  ): Promise<{ sizeGiB: number; blocks: readonly ListedBlock[]; nextToken: string | undefined }> {
    const { tokens, clock, requests } = this.parts;
    const { snapshotId } = snapshot;
    const scope = { snapshotId, firstSnapshotId: first?.snapshotId ?? '' };
    const startingBlockIndex =
      NextToken === undefined ? StartingBlockIndex : tokens.startOf(action, NextToken, scope, context, clock.now());
    const limit = Math.min(MaxResults, maximum);
    const input = { snapshotId, firstSnapshotId: first?.snapshotId, startingBlockIndex, limit };
    const listed = await requests.call('data-plane', 'ListBlocks', input, context).catch(fromDataPlane(snapshotId));
    const nextToken =
      listed.next === null
        ? undefined
        : tokens.page(action, { ...scope, startingBlockIndex: listed.next }, context, clock.now());
    return { sizeGiB: listed.sizeGiB, blocks: listed.blocks, nextToken };
  }
}
