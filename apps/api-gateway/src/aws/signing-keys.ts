import { createSecretKey, randomUUID } from 'node:crypto';
import type { Credential, SigningKey } from '@holdfast/aws-protocol';
import { accountId, type Principal, region } from '@holdfast/contracts';
import type { Requests } from '@holdfast/messaging';
import { generateRecipient, type Recipient } from '@holdfast/sealing';

const RESOLVE_TIMEOUT_MS = 5000;
const NOBODY = accountId('000000000000');
const REGION_NAME = /^[a-z]{2}(-[a-z]+)+-\d$/;

/** Asks `identity` for signing keys, which come sealed to this process. */
export class SigningKeys {
  private constructor(
    private readonly requests: Requests,
    private readonly recipient: Recipient,
  ) {}

  static async create(requests: Requests): Promise<SigningKeys> {
    return new SigningKeys(requests, await generateRecipient());
  }

  /** Null: no such access key. */
  async resolve({ accessKeyId, date, region: regionName, service }: Credential): Promise<SigningKey<Principal> | null> {
    if (!REGION_NAME.test(regionName)) return null;
    const recipientPublicKey = this.recipient.publicKeyBase64;
    const answer = await this.requests.call(
      'identity',
      'ResolveSigningKey',
      { accessKeyId, date, region: regionName, service, recipientPublicKey },
      {
        requestId: randomUUID(),
        accountId: NOBODY,
        region: region(regionName),
        principal: { type: 'AWSService', arn: 'api-gateway', accountId: NOBODY, principalId: 'api-gateway' },
        sourceIp: 'api-gateway',
        userAgent: 'api-gateway',
        deadlineMs: Date.now() + RESOLVE_TIMEOUT_MS,
      },
    );
    if (answer === null) return null;
    const bytes = await this.recipient.open(answer.sealedSigningKey, 'signing-key');
    const signingKey = createSecretKey(bytes);
    bytes.fill(0);
    const { principal, sealedSessionToken, expiresAt } = answer;
    if (sealedSessionToken === undefined) return { signingKey, principal };
    const token = await this.recipient.open(sealedSessionToken, 'session-token');
    return {
      ...{ signingKey, principal, sessionToken: token.toString('utf8') },
      ...(expiresAt === undefined ? {} : { expiresAt: new Date(expiresAt) }),
    };
  }

  destroy(): void {
    this.recipient.destroy();
  }
}
