import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { type InternalRequests, newSnapshotId, type SnapshotId } from '@holdfast/contracts';
import { testContext } from '@holdfast/messaging/testing';
import { type BlockTicket, generateRecipient, signBlockTicket } from '@holdfast/sealing';
import type { TestHost } from './harness.ts';

type Requests = InternalRequests['data-plane'];

export interface BlockAnswer {
  readonly status: number;
  readonly body: Buffer;
  readonly checksum: string | undefined;
  /** Of a refusal. */
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
    const context = { ...testContext(30_000), recipientPublicKey: recipient.publicKeyBase64 };
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
    return this.send('PUT', this.ticket(blockIndex, { checksum: checksumOf(bytes), ...more }), bytes);
  }

  get(blockIndex: number): Promise<BlockAnswer> {
    return this.send('GET', this.ticket(blockIndex));
  }

  send(method: string, ticket: string, body?: Uint8Array): Promise<BlockAnswer> {
    const socketPath = this.endpoint.replace(/^unix:/, '');
    return new Promise((resolve, reject) => {
      const headers = { 'x-holdfast-ticket': ticket, 'content-length': body?.length ?? 0 };
      const sent = request({ socketPath, path: '/blocks', method, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const bytes = Buffer.concat(chunks);
          const { statusCode: status = 0, headers: got } = response;
          const code = status < 300 ? undefined : (JSON.parse(bytes.toString()) as { code: string }).code;
          resolve({ status, body: bytes, code, checksum: got['x-holdfast-checksum']?.toString() });
        });
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }
}

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
