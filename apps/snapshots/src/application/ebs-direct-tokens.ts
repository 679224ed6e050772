import { createHmac } from 'node:crypto';
import type { RequestContext } from '@holdfast/contracts';
import { PageTokens } from '@holdfast/ec2';
import { AwsError } from '@holdfast/contracts';
import { isBlockToken, signBlockToken } from '@holdfast/sealing';
import { invalidRequest } from './ebs-direct-errors.ts';

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

  /** Under which one account's tokens for the blocks of one snapshot are signed. */
  blockKeyOf(snapshotId: string, { accountId, region }: Owner): Buffer {
    return createHmac('sha256', this.blockKey).update(`${accountId}/${region}/${snapshotId}`).digest();
  }

  block(snapshotId: string, blockIndex: number, owner: Owner, expiry: Date): string {
    return signBlockToken(this.blockKeyOf(snapshotId, owner), blockIndex, expiry);
  }

  /** @throws AwsError INVALID_BLOCK_TOKEN */
  checkBlock(text: string, snapshotId: string, blockIndex: number, owner: Owner, now: Date): void {
    if (!isBlockToken(this.blockKeyOf(snapshotId, owner), text, blockIndex, now))
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
}
