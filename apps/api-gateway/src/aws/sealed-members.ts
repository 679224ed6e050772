import { randomUUID } from 'node:crypto';
import type { RequestContext } from '@holdfast/contracts';
import type { Requests } from '@holdfast/messaging';
import { generateRecipient, type Recipient, seal } from '@holdfast/sealing';

type Members = Readonly<Record<string, unknown>>;

/** Members that are secrets: sealed to their receiver before they cross the bus (DESIGN §5). All are base64 blobs. */
const SEALED_INPUT: ReadonlyMap<string, string> = new Map([['Encrypt', 'Plaintext']]);
const SEALED_OUTPUT: ReadonlyMap<string, string> = new Map([
  ['Decrypt', 'Plaintext'],
  ['GenerateDataKey', 'Plaintext'],
]);

const infoFor = (action: string, { requestId }: RequestContext) => `kms.${action}.${requestId}`;

/** Seals and opens the plaintext of KMS calls on their way to and from `kms`. One key pair for the life of the process. */
export class SealedMembers {
  private constructor(
    private readonly requests: Requests,
    private readonly recipient: Recipient,
  ) {}

  static async create(requests: Requests): Promise<SealedMembers> {
    return new SealedMembers(requests, await generateRecipient());
  }

  /** The context and input as they may cross the bus. */
  async outbound(
    action: string,
    input: Members,
    context: RequestContext,
  ): Promise<{ input: Members; context: RequestContext }> {
    const sealedContext = SEALED_OUTPUT.has(action)
      ? { ...context, recipientPublicKey: this.recipient.publicKeyBase64 }
      : context;
    const member = SEALED_INPUT.get(action);
    const plaintext = member === undefined ? undefined : input[member];
    if (member === undefined || typeof plaintext !== 'string') return { input, context: sealedContext };
    const { publicKey } = await this.requests.call(
      'kms',
      'GetTransportKey',
      {},
      { ...context, requestId: randomUUID() },
    );
    const bytes = Buffer.from(plaintext, 'base64');
    const sealed = await seal(publicKey, bytes, infoFor(action, context));
    bytes.fill(0);
    return { input: { ...input, [member]: sealed }, context: sealedContext };
  }

  /** The output as its caller may see it. */
  async inbound(action: string, output: Members, context: RequestContext): Promise<Members> {
    const member = SEALED_OUTPUT.get(action);
    const sealed = member === undefined ? undefined : output[member];
    if (member === undefined || typeof sealed !== 'string') return output;
    const bytes = await this.recipient.open(sealed, infoFor(action, context));
    const opened = { ...output, [member]: bytes.toString('base64') };
    bytes.fill(0);
    return opened;
  }

  destroy(): void {
    this.recipient.destroy();
  }
}
