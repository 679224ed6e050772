import { randomUUID } from 'node:crypto';
import { accountId, type Principal, region, type RequestContext } from '@holdfast/contracts';
import type { Requests } from '@holdfast/messaging';
import { generateRecipient, seal } from '@holdfast/sealing';

export const rootOf = (account: string): Principal => ({
  type: 'Root',
  arn: `arn:aws:iam::${account}:root`,
  accountId: accountId(account),
  principalId: account,
});

export const serviceOf = (account: string, name = 'ec2.eu-central-1.amazonaws.com'): Principal => ({
  type: 'AWSService',
  arn: name,
  accountId: accountId(account),
  principalId: name,
});

export const hostOf = (account: string, instanceId: string): Principal => ({
  type: 'AssumedRole',
  arn: `arn:aws:sts::${account}:assumed-role/aws:ec2-infrastructure/${instanceId}`,
  accountId: accountId(account),
  principalId: `${account}:aws:ec2-infrastructure:${instanceId}`,
});

export interface CallerOptions {
  readonly principal?: Principal;
  readonly region?: string;
  readonly viaService?: string;
}

// Answers are AWS's shapes, which tests look into as they need.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Answer = any;

/** Sends requests as the gateway does: plaintext sealed on its way in, opened on its way out. */
export class Caller {
  constructor(
    private readonly bus: Requests,
    readonly account: string,
    private readonly options: CallerOptions = {},
  ) {}

  as(options: CallerOptions): Caller {
    return new Caller(this.bus, this.account, { ...this.options, ...options });
  }

  context(fields: Partial<RequestContext> = {}): RequestContext {
    const { principal = rootOf(this.account), region: name = 'eu-central-1', viaService } = this.options;
    return {
      requestId: randomUUID(),
      accountId: accountId(this.account),
      region: region(name),
      principal,
      sourceIp: '192.0.2.7',
      userAgent: 'test',
      deadlineMs: Date.now() + 60_000,
      viaService,
      ...fields,
    };
  }

  /** As it is, without sealing. */
  raw(action: string, input: object, fields: Partial<RequestContext> = {}): Promise<Answer> {
    return this.bus.request('kms', action, input, this.context(fields));
  }

  async call(action: string, input: object = {}): Promise<Answer> {
    const recipient = await generateRecipient();
    const context = this.context({ recipientPublicKey: recipient.publicKeyBase64 });
    const sealed = await this.sealPlaintext(input, context);
    const answer = await this.bus.request<Record<string, unknown>>('kms', action, sealed, context);
    const opened: Record<string, unknown> = {};
    for (const member of ['Plaintext', 'PrivateKeyPlaintext', 'SharedSecret']) {
      const text = answer[member];
      if (typeof text === 'string') opened[member] = await recipient.open(text, `kms.${action}.${context.requestId}`);
    }
    return { ...answer, ...opened };
  }

  async newKey(input: object = {}): Promise<{ id: string; arn: string }> {
    const { KeyMetadata } = await this.call('CreateKey', input);
    return { id: KeyMetadata.KeyId, arn: KeyMetadata.Arn };
  }

  private async sealPlaintext(input: object, context: RequestContext): Promise<object> {
    const { Plaintext } = input as { Plaintext?: Uint8Array };
    if (Plaintext === undefined) return input;
    const { publicKey } = await this.bus.request<{ publicKey: string }>('kms', 'GetTransportKey', {}, this.context());
    return { ...input, Plaintext: await seal(publicKey, Plaintext, `kms.Encrypt.${context.requestId}`) };
  }
}
