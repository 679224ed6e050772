import { createHash } from 'node:crypto';
import { BLOCK_BYTES, type BlockSource, BlockWireClient } from '@holdfast/block-wire';
import { type InternalRequests, newSnapshotId, type SnapshotId } from '@holdfast/contracts';
import { testContext } from '@holdfast/messaging/testing';
import { type BlockTicket, generateRecipient, signBlockTicket } from '@holdfast/sealing';
import type { TestHost } from './harness.ts';

type Requests = InternalRequests['data-plane'];

export interface BlockAnswer {
  readonly body: Buffer;
  readonly checksum: string | undefined;
  /** Of a refusal; undefined: it was done. */
  readonly code: string | undefined;
}

export const checksumOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('base64');

/** What the control plane and the gateway do together: opens a session and shows tickets. */
export class BlockClient {
  private constructor(
    readonly sessionId: string,
    readonly endpoint: string,
    readonly key: Uint8Array,
    private readonly session: Requests['OpenBlockSession']['in'],
  ) {}

  static async open(host: TestHost, session: Omit<Requests['OpenBlockSession']['in'], 'accountId'>) {
    const recipient = await generateRecipient();
    const context = { ...testContext(60_000), recipientPublicKey: recipient.publicKeyBase64 };
    const input = { ...session, accountId: context.accountId };
    const answer = await host.bus.call('data-plane', 'OpenBlockSession', input, context);
    const key = await recipient.open(answer.sealedTicketKey, answer.sessionId);
    return new BlockClient(answer.sessionId, answer.endpoint, key, input);
  }

  ticket(blockIndex: number, more: Partial<BlockTicket> = {}): string {
    const { operation, snapshotId, accountId } = this.session;
    const expiresAtMs = Date.now() + 10_000;
    return signBlockTicket(this.key, {
      ...{ sessionId: this.sessionId, operation, snapshotId, accountId, blockIndex, expiresAtMs },
      ...more,
    });
  }

  put(blockIndex: number, bytes: Uint8Array, more: Partial<BlockTicket> = {}): Promise<BlockAnswer> {
    return this.send(this.ticket(blockIndex, { checksum: checksumOf(bytes), ...more }), bytes);
  }

  get(blockIndex: number): Promise<BlockAnswer> {
    return this.send(this.ticket(blockIndex));
  }

  async send(ticket: string, body?: Uint8Array): Promise<BlockAnswer> {
    const wire = new BlockWireClient({ maxConnections: 1, idleMs: 10_000 });
    try {
      const source = body === undefined ? null : sourceOf(Buffer.from(body));
      const { block, checksum, refused } = await wire.send(this.endpoint, ticket, source, Date.now() + 30_000);
      return { body: block ?? Buffer.alloc(0), checksum, code: refused?.code };
    } finally {
      wire.destroy();
    }
  }
}

/** As long as a block, whatever it is: the wire says the length first. */
const sourceOf = (bytes: Buffer): BlockSource => ({
  follow: (onPiece, onEnd) => {
    onPiece(bytes);
    if (bytes.length < BLOCK_BYTES) onEnd(new Error('less than a block'));
    return () => undefined;
  },
});

/** An upload that takes blocks. */
export const startUpload = async (host: TestHost, input: Partial<Requests['StartBlockUpload']['in']> = {}) => {
  const snapshotId: SnapshotId = newSnapshotId();
  await host.call('StartBlockUpload', { snapshotId, sizeGiB: 1, timeoutMinutes: 60, ...input });
  const id = input.snapshotId ?? snapshotId;
  return {
    snapshotId: id,
    client: await BlockClient.open(host, { snapshotId: id, operation: 'put', dataKey: input.dataKey }),
  };
};
