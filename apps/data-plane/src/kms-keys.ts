import { AwsError, type DataKeyUse, type RequestContext } from '@holdfast/contracts';
import type { Requests } from '@holdfast/messaging';
import { HOST_ERRORS } from './host-protocol.ts';
import { PeerError } from './ipc.ts';

/** How long KMS may take, in milliseconds. */
const KMS_DEADLINE_MS = 5_000;

/** KMS's errors that say nothing about the key. */
const TRANSIENT = new Set(['DependencyTimeoutException', 'KMSInternalException', 'ThrottlingException']);

/** KMS's considered no. */
export class KmsRefused extends PeerError {
  /** KMS's error code, e.g. `DisabledException`. */
  readonly kmsCode: string;
  constructor(kmsCode: string, message: string) {
    super(HOST_ERRORS.keyUnusable, message === '' ? kmsCode : message);
    this.kmsCode = kmsCode;
  }
}

/**
 * Asks KMS to unwrap data keys for block hosts, and to wrap one for another owner. What passes through here is sealed to the
 * host's own key, or to KMS's.
 */
export class KmsKeys {
  constructor(private readonly bus: Pick<Requests, 'request'>) {}

  /**
   * @param recipientPublicKey base64, of the process that may read the answer.
   * @throws KmsRefused, with KMS's message; what the bus throws when KMS can't be asked.
   */
  async unwrap(use: DataKeyUse, recipientPublicKey: string): Promise<{ sealed: string; requestId: string }> {
    const input = {
      CiphertextBlob: use.encryptedDataKey,
      EncryptionContext: use.encryptionContext,
      KeyId: use.keyArn,
    };
    const { Plaintext } = await this.#ask<{ Plaintext: string }>('Decrypt', input, {
      ...contextOf(use),
      recipientPublicKey,
    });
    return { sealed: Plaintext, requestId: use.requestId };
  }

  /** Whom to seal a plaintext to that KMS shall wrap. @throws as `unwrap` */
  async wrappingKey(use: DataKeyUse): Promise<{ publicKey: string; requestId: string }> {
    const { publicKey } = await this.#ask<{ publicKey: string }>('GetTransportKey', {}, contextOf(use));
    return { publicKey, requestId: use.requestId };
  }

  /**
   * The same data key under the same KMS key, for another owner.
   * @param sealed the plaintext, to `wrappingKey`.
   * @throws as `unwrap`
   */
  async wrap(use: DataKeyUse, sealed: string, encryptionContext: Record<string, string>): Promise<string> {
    const input = { KeyId: use.keyArn, Plaintext: sealed, EncryptionContext: encryptionContext };
    return (await this.#ask<{ CiphertextBlob: string }>('Encrypt', input, contextOf(use))).CiphertextBlob;
  }

  async #ask<Output>(action: string, input: object, context: RequestContext): Promise<Output> {
    try {
      return await this.bus.request<Output>('kms', action, input, context);
    } catch (error) {
      if (!(error instanceof AwsError) || TRANSIENT.has(error.code)) throw error;
      throw new KmsRefused(error.code, error.message);
    }
  }
}

const contextOf = ({ requestId, accountId, region, principal }: DataKeyUse): RequestContext => ({
  requestId,
  accountId,
  region,
  principal,
  sourceIp: 'AWS Internal',
  userAgent: 'AWS Internal',
  viaService: `ec2.${region}.amazonaws.com`,
  deadlineMs: Date.now() + KMS_DEADLINE_MS,
});
