import { createHmac, timingSafeEqual } from 'node:crypto';
import type { RequestContext } from '@holdfast/contracts';
import { PageTokens } from '@holdfast/ec2';
import { AwsError } from '@holdfast/contracts';
import { invalidRequest } from './ebs-direct-errors.ts';

const VERSION = 1;
/** Version, expiry (u32 BE, seconds of the epoch), the first half of an HMAC-SHA-256. */
const MAC_AT = 5;
const MAC_BYTES = 16;
const BLOCK_TOKEN_LIFE_S = 7 * 24 * 3600;
const PAGE_TOKEN_LIFE_MS = 3_600_000;

type Owner = Pick<RequestContext, 'accountId' | 'region'>;

export interface BlockPage {
  readonly snapshotId: string;
  /** Empty: a list of one snapshot's blocks. */
  readonly firstSnapshotId: string;
  readonly startingBlockIndex: number;
}

/** Block tokens and page tokens of EBS direct: bound to what they are for and to whom, and over after a while. */
export class DirectTokens {
  private readonly blockKey: Buffer;
  private readonly pages: PageTokens;

  /** @param key 32 bytes, base64; one for all replicas. */
  constructor(key: string) {
    const derive = (use: string) => createHmac('sha256', Buffer.from(key, 'base64')).update(use).digest();
    this.blockKey = derive('ebs direct block token');
    this.pages = new PageTokens(derive('ebs direct page token').toString('base64'));
  }

  /** @returns when block tokens that are issued now end. */
  expiry(now: Date): Date {
    return new Date((Math.floor(now.getTime() / 1000) + BLOCK_TOKEN_LIFE_S) * 1000);
  }

  block(snapshotId: string, blockIndex: number, owner: Owner, expiry: Date): string {
    const token = Buffer.alloc(MAC_AT + MAC_BYTES);
    token.writeUInt8(VERSION, 0);
    token.writeUInt32BE(expiry.getTime() / 1000, 1);
    this.mac(token, snapshotId, blockIndex, owner).copy(token, MAC_AT);
    return token.toString('base64');
  }

  /** @throws AwsError INVALID_BLOCK_TOKEN */
  checkBlock(text: string, snapshotId: string, blockIndex: number, owner: Owner, now: Date): void {
    const token = Buffer.from(text, 'base64');
    const genuine =
      token.length === MAC_AT + MAC_BYTES &&
      token[0] === VERSION &&
      timingSafeEqual(token.subarray(MAC_AT), this.mac(token, snapshotId, blockIndex, owner));
    if (!genuine || token.readUInt32BE(1) * 1000 <= now.getTime())
      throw invalidRequest('INVALID_BLOCK_TOKEN', `The block token ${text} is invalid.`);
  }

  page(action: string, page: BlockPage, { accountId, region }: Owner, now: Date): string {
    const { snapshotId, firstSnapshotId, startingBlockIndex } = page;
    const cursor = [snapshotId, firstSnapshotId, startingBlockIndex, now.getTime() + PAGE_TOKEN_LIFE_MS];
    return this.pages.issue({ accountId, region, action }, JSON.stringify(cursor));
  }

  /** @returns where the page starts. @throws AwsError INVALID_PAGE_TOKEN */
  startOf(action: string, text: string, asked: Omit<BlockPage, 'startingBlockIndex'>, owner: Owner, now: Date): number {
    const invalid = () => invalidRequest('INVALID_PAGE_TOKEN', `The pagination token ${text} is invalid.`);
    let cursor: [string, string, number, number];
    try {
      const { accountId, region } = owner;
      cursor = JSON.parse(this.pages.read({ accountId, region, action }, text)) as typeof cursor;
    } catch (error) {
      throw error instanceof AwsError ? invalid() : error;
    }
    const [snapshotId, firstSnapshotId, startingBlockIndex, expiresAtMs] = cursor;
    const fits = snapshotId === asked.snapshotId && firstSnapshotId === asked.firstSnapshotId;
    if (!fits || expiresAtMs <= now.getTime()) throw invalid();
    return startingBlockIndex;
  }

  private mac(token: Buffer, snapshotId: string, blockIndex: number, { accountId, region }: Owner): Buffer {
    return createHmac('sha256', this.blockKey)
      .update(token.subarray(0, MAC_AT))
      .update(`${accountId}/${region}/${snapshotId}/${String(blockIndex)}`)
      .digest()
      .subarray(0, MAC_BYTES);
  }
}
