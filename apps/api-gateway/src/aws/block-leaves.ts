import type { ParsedRequest } from '@holdfast/aws-protocol';
import type { BlockTransfer, RequestContext } from '@holdfast/contracts';
import type { Requests } from '@holdfast/messaging';
import { type BlockTicket, generateRecipient, isBlockToken, type Recipient, signBlockTicket } from '@holdfast/sealing';
import type { Clock } from '@holdfast/service-kit';

const BLOCK_SIZE_BYTES = 524_288;
const BLOCKS_PER_GIB = 2048;
/** From here to the host that takes the block, whose own machine may tell another time. */
const TICKET_LIFE_MS = 60_000;
const MAX_LEAVES = 4096;

/** What `snapshots` found of one caller and one snapshot, for as long as it holds. */
interface Leave {
  readonly transfer: BlockTransfer;
  readonly ticketKey: Buffer;
  /** Null: blocks are put. */
  readonly tokenKey: Buffer | null;
  readonly untilMs: number;
}

export interface Ticket {
  readonly endpoint: string;
  readonly ticket: string;
}

/**
 * Leave to carry a caller's blocks, asked for once for many of them. Whatever a leave does not cover is asked anew, so that
 * `snapshots` alone refuses, in its own words.
 */
export class BlockLeaves {
  private readonly leaves = new Map<string, Leave>();
  private readonly asking = new Map<string, Promise<Leave>>();

  private constructor(
    private readonly requests: Requests,
    private readonly clock: Clock,
    private readonly recipient: Recipient,
  ) {}

  static async create(requests: Requests, clock: Clock): Promise<BlockLeaves> {
    return new BlockLeaves(requests, clock, await generateRecipient());
  }

  /** @param renew the host does not know the session any more. @throws AwsError as `snapshots` refuses */
  async ticket(request: ParsedRequest, context: RequestContext, renew: boolean): Promise<Ticket> {
    const { accountId, region, principal } = context;
    const { operation, input } = request;
    const who = [accountId, region, principal.arn, principal.accessKeyId ?? '', principal.tokenIssueTime ?? ''];
    const name = JSON.stringify([...who, operation, input['SnapshotId']]);
    if (renew) this.leaves.delete(name);
    const leave = await this.leave(name, request, context);
    const { endpoint, sessionId } = leave.transfer;
    const {
      SnapshotId: snapshotId,
      BlockIndex: blockIndex,
      Checksum: checksum,
      Progress: progress,
    } = input as unknown as Asked;
    const expiresAtMs = Date.now() + TICKET_LIFE_MS;
    const ticket: BlockTicket = {
      ...{ sessionId, snapshotId, blockIndex, accountId, expiresAtMs },
      operation: leave.tokenKey === null ? 'put' : 'get',
      ...(leave.tokenKey === null ? { checksum } : {}),
      ...(progress === undefined ? {} : { progress }),
    };
    return { endpoint, ticket: signBlockTicket(leave.ticketKey, ticket) };
  }

  destroy(): void {
    for (const leave of this.leaves.values()) forget(leave);
    this.leaves.clear();
    this.recipient.destroy();
  }

  private async leave(name: string, request: ParsedRequest, context: RequestContext): Promise<Leave> {
    const kept = this.leaves.get(name);
    if (kept !== undefined && this.covers(kept, request)) return kept;
    // Of many blocks that come at once, the first one asks for all.
    const asked = await this.asking.get(name)?.catch(() => undefined);
    if (asked !== undefined && this.covers(asked, request)) return asked;
    const asking = this.ask(request, context);
    this.asking.set(name, asking);
    try {
      const leave = await asking;
      this.keep(name, leave);
      return leave;
    } finally {
      if (this.asking.get(name) === asking) this.asking.delete(name);
    }
  }

  private covers({ transfer, tokenKey, untilMs }: Leave, { input }: ParsedRequest): boolean {
    const { BlockIndex, BlockToken = '', DataLength } = input as unknown as Asked;
    if (untilMs <= performance.now() || BlockIndex >= transfer.volumeSizeGiB * BLOCKS_PER_GIB) return false;
    return tokenKey === null
      ? DataLength === BLOCK_SIZE_BYTES
      : isBlockToken(tokenKey, BlockToken, BlockIndex, this.clock.now());
  }

  private async ask({ operation, input }: ParsedRequest, context: RequestContext): Promise<Leave> {
    const askedAtMs = performance.now();
    const transfer = await this.requests.request<BlockTransfer>('snapshots', operation, input, {
      ...context,
      recipientPublicKey: this.recipient.publicKeyBase64,
    });
    const { sealedTicketKey, sealedTokenKey, sessionId, lifeMs } = transfer;
    const ticketKey = await this.recipient.open(sealedTicketKey, sessionId);
    const tokenKey = sealedTokenKey === undefined ? null : await this.recipient.open(sealedTokenKey, sessionId);
    return { transfer, ticketKey, tokenKey, untilMs: askedAtMs + lifeMs };
  }

  private keep(name: string, leave: Leave): void {
    this.leaves.delete(name);
    this.leaves.set(name, leave);
    const [oldest] = this.leaves.keys();
    if (this.leaves.size > MAX_LEAVES && oldest !== undefined) this.leaves.delete(oldest);
  }
}

const forget = ({ ticketKey, tokenKey }: Leave): void => {
  ticketKey.fill(0);
  tokenKey?.fill(0);
};

interface Asked {
  readonly SnapshotId: string;
  readonly BlockIndex: number;
  readonly BlockToken?: string;
  readonly DataLength?: number;
  readonly Checksum?: string;
  readonly Progress?: number;
}
