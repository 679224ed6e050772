import type { ebs } from '@holdfast/aws-protocol';
import type { BlockTransfer, RequestContext } from '@holdfast/contracts';
import { type BlockTicket, signBlockTicket } from '@holdfast/sealing';
import { invalidRequest } from './ebs-direct-errors.ts';
import type { DirectParts } from './ebs-direct-ports.ts';
import { type BlockSession, BlockSessions } from './ebs-direct-sessions.ts';

const BLOCK_SIZE_BYTES = 524_288;
const BLOCKS_PER_GIB = 2048;
/** From here to the host that takes the block, whose own machine may tell another time. */
const TICKET_LIFE_MS = 60_000;

/** What the gateway asks again with when a host did not know its ticket. */
interface Renewal {
  readonly Renew?: boolean;
}

/** PutSnapshotBlock and GetSnapshotBlock: who may, and where; the block itself goes from the gateway to the host. */
export class SnapshotBlocks {
  private readonly sessions: BlockSessions;

  constructor(private readonly parts: DirectParts) {
    this.sessions = new BlockSessions(parts);
  }

  async put(input: ebs.PutSnapshotBlockRequest & Renewal, context: RequestContext): Promise<BlockTransfer> {
    const { SnapshotId, BlockIndex, DataLength, Checksum, Progress, Renew = false } = input;
    if (DataLength !== BLOCK_SIZE_BYTES)
      throw invalidRequest(
        'INVALID_BLOCK',
        `Block data length ${String(DataLength)} is not valid, expected ${String(BLOCK_SIZE_BYTES)}`,
      );
    const session = await this.sessions.session(SnapshotId, 'put', context, Renew);
    return transfer(session, context, {
      ...{ operation: 'put', blockIndex: BlockIndex, checksum: Checksum },
      ...(Progress === undefined ? {} : { progress: Progress }),
    });
  }

  async get(input: ebs.GetSnapshotBlockRequest & Renewal, context: RequestContext): Promise<BlockTransfer> {
    const { SnapshotId, BlockIndex, BlockToken, Renew = false } = input;
    const { tokens, clock } = this.parts;
    tokens.checkBlock(BlockToken, SnapshotId, BlockIndex, context, clock.now());
    const session = await this.sessions.session(SnapshotId, 'get', context, Renew);
    return transfer(session, context, { operation: 'get', blockIndex: BlockIndex });
  }
}

type Asked = Pick<BlockTicket, 'operation' | 'blockIndex' | 'checksum' | 'progress'>;

const transfer = (session: BlockSession, { accountId }: RequestContext, asked: Asked): BlockTransfer => {
  const { snapshotId, sessionId, endpoint, ticketKey, volumeSizeGiB } = session;
  if (asked.blockIndex >= volumeSizeGiB * BLOCKS_PER_GIB)
    throw invalidRequest('INVALID_BLOCK', `Block index ${String(asked.blockIndex)} is beyond the volume size extent`);
  const expiresAtMs = Date.now() + TICKET_LIFE_MS;
  return { endpoint, ticket: signBlockTicket(ticketKey, { sessionId, snapshotId, accountId, expiresAtMs, ...asked }) };
};
