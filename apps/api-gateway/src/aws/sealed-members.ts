import { randomUUID } from 'node:crypto';
import type { RequestContext } from '@holdfast/contracts';
import type { Requests, ServiceName } from '@holdfast/messaging';
import { generateRecipient, type Recipient, seal } from '@holdfast/sealing';

type Members = Readonly<Record<string, unknown>>;

/** What the bytes of a sealed member are in AWS's shape: base64 of a blob, or a text. */
type Encoding = 'base64' | 'utf8';

/** Where a secret stands in an input or output: members from the outside in, e.g. `AccessKey.SecretAccessKey`. */
type Paths = Readonly<Record<string, Encoding>>;

const CREDENTIALS: Paths = { 'Credentials.SecretAccessKey': 'utf8', 'Credentials.SessionToken': 'utf8' };

/** Members that are secrets: sealed to their receiver before they cross the bus (DESIGN §5). By `<service>.<Action>`. */
const SEALED_INPUT: ReadonlyMap<string, Paths> = new Map<string, Paths>([['kms.Encrypt', { Plaintext: 'base64' }]]);
const SEALED_OUTPUT: ReadonlyMap<string, Paths> = new Map<string, Paths>([
  ['kms.Decrypt', { Plaintext: 'base64' }],
  ['kms.GenerateDataKey', { Plaintext: 'base64' }],
  ['kms.GenerateDataKeyPair', { PrivateKeyPlaintext: 'base64' }],
  ['kms.GenerateRandom', { Plaintext: 'base64' }],
  ['kms.DeriveSharedSecret', { SharedSecret: 'base64' }],
  ['instances.CreateKeyPair', { KeyMaterial: 'utf8' }],
  ['identity.CreateAccessKey', { 'AccessKey.SecretAccessKey': 'utf8' }],
  ['identity.AssumeRole', CREDENTIALS],
  ['identity.GetFederationToken', CREDENTIALS],
  ['identity.GetSessionToken', CREDENTIALS],
]);

/** How long kms' transport key is kept, in milliseconds. */
const TRANSPORT_KEY_MS = 1000;

/** `members` with the text at `path` as `change` makes it; as it is when there is no text. */
const changed = async (
  members: Members,
  path: readonly string[],
  change: (text: string) => Promise<string>,
): Promise<Members> => {
  const [name, ...rest] = path;
  if (name === undefined) return members;
  const value = members[name];
  if (rest.length > 0 && typeof value === 'object' && value !== null) {
    return { ...members, [name]: await changed(value as Members, rest, change) };
  }
  return rest.length === 0 && typeof value === 'string' ? { ...members, [name]: await change(value) } : members;
};

const allChanged = async (
  members: Members,
  paths: Paths,
  change: (text: string, encoding: Encoding) => Promise<string>,
): Promise<Members> => {
  let result = members;
  for (const [path, encoding] of Object.entries(paths)) {
    result = await changed(result, path.split('.'), (text) => change(text, encoding));
  }
  return result;
};

/** Seals and opens the secrets of calls on their way to and from their service. One key pair for the life of the process. */
export class SealedMembers {
  private transport: { readonly key: Promise<string>; readonly askedAtMs: number } | undefined;

  private constructor(
    private readonly requests: Requests,
    private readonly recipient: Recipient,
  ) {}

  static async create(requests: Requests): Promise<SealedMembers> {
    return new SealedMembers(requests, await generateRecipient());
  }

  /** The context and input as they may cross the bus. */
  async outbound(
    service: ServiceName,
    action: string,
    input: Members,
    context: RequestContext,
  ): Promise<{ input: Members; context: RequestContext }> {
    const name = `${service}.${action}`;
    const sealedContext = SEALED_OUTPUT.has(name)
      ? { ...context, recipientPublicKey: this.recipient.publicKeyBase64 }
      : context;
    const sealed = await allChanged(input, SEALED_INPUT.get(name) ?? {}, async (text, encoding) => {
      const publicKey = await this.transportKey(context);
      const bytes = Buffer.from(text, encoding);
      const message = await seal(publicKey, bytes, `${name}.${context.requestId}`);
      bytes.fill(0);
      return message;
    });
    return { input: sealed, context: sealedContext };
  }

  /** The output as its caller may see it. */
  inbound(service: ServiceName, action: string, output: Members, { requestId }: RequestContext): Promise<Members> {
    const name = `${service}.${action}`;
    return allChanged(output, SEALED_OUTPUT.get(name) ?? {}, async (sealed, encoding) => {
      const bytes = await this.recipient.open(sealed, `${name}.${requestId}`);
      const text = bytes.toString(encoding);
      bytes.fill(0);
      return text;
    });
  }

  /** What kms opens; asked for again each second, so that a key which it no longer has is not sealed to for long. */
  private transportKey(context: RequestContext): Promise<string> {
    const nowMs = performance.now();
    if (this.transport !== undefined && nowMs - this.transport.askedAtMs < TRANSPORT_KEY_MS) return this.transport.key;
    const own = { ...context, requestId: randomUUID() };
    const key = this.requests.call('kms', 'GetTransportKey', {}, own).then(({ publicKey }) => publicKey);
    this.transport = { key, askedAtMs: nowMs };
    key.catch(() => (this.transport = undefined));
    return key;
  }

  destroy(): void {
    this.recipient.destroy();
  }
}
