import { Agent, type ClientRequest, request as httpRequest } from 'node:http';
import type { ParsedRequest } from '@holdfast/aws-protocol';
import { AwsError, type BlockTransfer, type RequestContext } from '@holdfast/contracts';
import { type Requests, ServiceUnavailable } from '@holdfast/messaging';

const BLOCK_SIZE_BYTES = 524_288;
/** Each connection to a host carries one block at a time. */
const MAX_CONNECTIONS = 128;
/** Longest answer of a host: a block, or a refusal. */
const MAX_ANSWER_BYTES = BLOCK_SIZE_BYTES;
const ALGORITHM = 'SHA256';

interface Answer {
  readonly status: number;
  readonly body: Buffer;
  readonly checksum: string;
}

/** What a host refuses a block with. */
interface HostRefusal {
  readonly code: string;
  readonly message: string;
}

const invalid = (Reason: string, message: string) =>
  new AwsError({ code: 'ValidationException', message, members: { Reason } });

const refusalOf = ({ code, message }: HostRefusal, expected: string): Error => {
  switch (code) {
    case 'ChecksumMismatch':
      return new AwsError({
        code: 'InvalidSignatureException',
        message: `The value passed in as x-amz-Checksum does not match the computed checksum. Computed checksum: ${message} expected checksum: ${expected}`,
      });
    case 'ConflictingBlockUpdate':
      return invalid('CONFLICTING_BLOCK_UPDATE', 'The block is being updated by another request');
    case 'NoSuchBlock':
      return invalid('INVALID_BLOCK', 'The snapshot has no such block');
    case 'UploadClosed':
      return invalid('INVALID_SNAPSHOT_ID', 'Snapshot is already completed');
    case 'WrongLength':
      return invalid('INVALID_PARAMETER_VALUE', 'Failed to read block data');
    default:
      return new Error(`a block host answers ${code}: ${message}`);
  }
};

/**
 * PutSnapshotBlock and GetSnapshotBlock: `snapshots` says who may and where, and the block itself goes straight between this
 * process and the host that keeps it. Blocks never cross the bus.
 */
export class BlockPayloads {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: MAX_CONNECTIONS });

  constructor(private readonly requests: Requests) {}

  static carries({ service, operation }: ParsedRequest): boolean {
    return service === 'ebs' && (operation === 'PutSnapshotBlock' || operation === 'GetSnapshotBlock');
  }

  /** @returns the operation's output; GetSnapshotBlock's has the block as `BlockData`. @throws AwsError */
  async run({ operation, input, payload }: ParsedRequest, context: RequestContext): Promise<Record<string, unknown>> {
    const block = operation === 'PutSnapshotBlock' ? payload : undefined;
    const checksum = typeof input['Checksum'] === 'string' ? input['Checksum'] : '';
    if (block !== undefined && block.length !== input['DataLength'] && input['DataLength'] === BLOCK_SIZE_BYTES)
      throw invalid('INVALID_PARAMETER_VALUE', 'Failed to read block data');
    for (const renewed of [false, true]) {
      const asked = renewed ? { ...input, Renew: true } : input;
      const transfer = await this.requests.request<BlockTransfer>('snapshots', operation, asked, context);
      const answer = await this.send(transfer, block, context).catch((error: unknown) => {
        // The host's process may have been started anew, or elsewhere.
        if (renewed) throw new ServiceUnavailable('a block host', operation, context.requestId, String(error));
        return null;
      });
      if (answer !== null && answer.status < 300) return outputOf(operation, answer, checksum);
      if (answer === null) continue;
      const refusal = JSON.parse(answer.body.toString()) as HostRefusal;
      if (renewed || refusal.code !== 'TicketRefused') throw refusalOf(refusal, checksum);
    }
    throw new Error('unreachable: the second round answers or throws');
  }

  /** Called by Nest when the service closes. */
  onApplicationShutdown(): void {
    this.agent.destroy();
  }

  private send({ endpoint, ticket }: BlockTransfer, block: Buffer | undefined, { deadlineMs }: RequestContext) {
    return new Promise<Answer>((resolve, reject) => {
      const request = this.open(endpoint, block === undefined ? 'GET' : 'PUT', {
        'x-holdfast-ticket': ticket,
        ...(block === undefined ? {} : { 'content-length': String(block.length) }),
      });
      const tooLate = setTimeout(
        () => request.destroy(new Error('no answer in time')),
        Math.max(0, deadlineMs - Date.now()),
      );
      request.on('close', () => clearTimeout(tooLate));
      request.on('error', reject);
      request.on('response', (response) => {
        const length = Number(response.headers['content-length'] ?? 0);
        if (!(length >= 0 && length <= MAX_ANSWER_BYTES)) return void request.destroy(new Error('an answer too long'));
        const body = Buffer.allocUnsafe(length);
        let at = 0;
        response.on('data', (chunk: Buffer) => (at += chunk.copy(body, at)));
        response.on('error', reject);
        response.on('end', () => {
          const checksum = response.headers['x-holdfast-checksum'];
          if (at !== length) return reject(new Error('a cut answer'));
          const { statusCode: status = 500 } = response;
          resolve({ status, body, checksum: typeof checksum === 'string' ? checksum : '' });
        });
      });
      request.end(block);
    });
  }

  private open(endpoint: string, method: string, headers: Record<string, string>): ClientRequest {
    const { agent } = this;
    const options = { agent, method, headers, path: '/blocks' };
    if (endpoint.startsWith('unix:')) return httpRequest({ ...options, socketPath: endpoint.slice('unix:'.length) });
    const { hostname: host, port } = new URL(endpoint);
    return httpRequest({ ...options, host, port });
  }
}

const outputOf = (operation: string, { body, checksum }: Answer, given: string): Record<string, unknown> =>
  operation === 'PutSnapshotBlock'
    ? { Checksum: given, ChecksumAlgorithm: ALGORITHM }
    : { DataLength: body.length, Checksum: checksum, ChecksumAlgorithm: ALGORITHM, BlockData: body };
