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

/** Asks KMS to unwrap data keys for block hosts. What passes through here is sealed to the host's own key. */
export class KmsKeys {
  constructor(private readonly bus: Pick<Requests, 'request'>) {}

  /**
   * @param recipientPublicKey base64, of the process that may read the answer.
   * @throws KmsRefused, with KMS's message; what the bus throws when KMS can't be asked.
   */
  async unwrap(use: DataKeyUse, recipientPublicKey: string): Promise<{ sealed: string; requestId: string }> {
    const { requestId, accountId, region, principal } = use;
    const context: RequestContext = {
      requestId,
      accountId,
      region,
      principal,
      sourceIp: 'AWS Internal',
      userAgent: 'AWS Internal',
      viaService: `ec2.${region}.amazonaws.com`,
      deadlineMs: Date.now() + KMS_DEADLINE_MS,
      recipientPublicKey,
    };
    const input = {
      CiphertextBlob: use.encryptedDataKey,
      EncryptionContext: use.encryptionContext,
      KeyId: use.keyArn,
    };
    try {
      const { Plaintext } = await this.bus.request<{ Plaintext: string }>('kms', 'Decrypt', input, context);
      return { sealed: Plaintext, requestId };
    } catch (error) {
      if (!(error instanceof AwsError) || TRANSIENT.has(error.code)) throw error;
      throw new KmsRefused(error.code, error.message);
    }
  }
}
