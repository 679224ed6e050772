import { AwsError, type RequestContext, type WrappedDataKey } from '@holdfast/contracts';
import type { GrantRequest } from './ebs-grants.ts';
import { invalidParameterValue } from './errors.ts';

/** Sends one of KMS's own operations. @throws AwsError as KMS answers it. */
export type KmsRequest = <Output>(action: string, input: unknown, context: RequestContext) => Promise<Output>;

/** AES-256-XTS takes two 256-bit keys. */
const DATA_KEY_BYTES = 64;

/** Refusals that say nothing about the key: the same call may succeed later. */
const TRANSIENT = new Set([
  'DependencyTimeoutException',
  'InternalError',
  'InternalFailure',
  'KMSInternalException',
  'KeyUnavailableException',
  'ServiceUnavailable',
  'ThrottlingException',
]);

/** Whether an error is a service's considered no, which asking again won't change. */
export const isRefusal = (error: unknown): error is AwsError =>
  error instanceof AwsError && !TRANSIENT.has(error.code) && (error.status ?? 400) < 500;

/** The members of DescribeKey's answer that decide whether EBS can use a key. */
interface KeyMetadata {
  Arn: string;
  KeyState: string;
  KeySpec: string;
  KeyUsage: string;
}

const invalidKey = (keyId: string, fault: 'invalid' | 'disabled') =>
  invalidParameterValue(`The specified keyId ${keyId} is ${fault}`);

/** What EBS asks of KMS. Every key it sees is wrapped. */
export class EbsKeys {
  constructor(private readonly send: KmsRequest) {}

  /**
   * ARN of the key that an id, alias or ARN names, looked up as the caller.
   * @throws AwsError InvalidParameterValue when EBS can't use it: absent, disabled, not symmetric; AuthFailure when the caller
   *   may not.
   */
  async usableKey(keyId: string, context: RequestContext): Promise<string> {
    let key: KeyMetadata;
    try {
      ({ KeyMetadata: key } = await this.send<{ KeyMetadata: KeyMetadata }>('DescribeKey', { KeyId: keyId }, context));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      if (error.code !== 'AccessDeniedException') throw invalidKey(keyId, 'invalid');
      throw new AwsError({ code: 'AuthFailure', status: 403, message: `Not authorized to use key ${keyId} ` });
    }
    if (key.KeySpec !== 'SYMMETRIC_DEFAULT' || key.KeyUsage !== 'ENCRYPT_DECRYPT') throw invalidKey(keyId, 'invalid');
    if (key.KeyState !== 'Enabled') throw invalidKey(keyId, key.KeyState === 'Disabled' ? 'disabled' : 'invalid');
    return key.Arn;
  }

  /** A new data key of 64 bytes. */
  async newDataKey(
    keyId: string,
    encryptionContext: Record<string, string>,
    context: RequestContext,
  ): Promise<Omit<WrappedDataKey, 'dataKeyId'>> {
    const input = { KeyId: keyId, NumberOfBytes: DATA_KEY_BYTES, EncryptionContext: encryptionContext };
    type Output = { CiphertextBlob: string; KeyId: string };
    const { CiphertextBlob, KeyId } = await this.send<Output>('GenerateDataKeyWithoutPlaintext', input, context);
    return { keyArn: KeyId, encryptedDataKey: CiphertextBlob, encryptionContext };
  }

  /** The same data key under `keyId`, for another owner. */
  async rewrap(
    source: WrappedDataKey,
    keyId: string,
    encryptionContext: Record<string, string>,
    context: RequestContext,
  ): Promise<WrappedDataKey> {
    type Output = { CiphertextBlob: string; KeyId: string };
    const { CiphertextBlob, KeyId } = await this.send<Output>(
      'ReEncrypt',
      {
        CiphertextBlob: source.encryptedDataKey,
        SourceKeyId: source.keyArn,
        SourceEncryptionContext: source.encryptionContext,
        DestinationKeyId: keyId,
        DestinationEncryptionContext: encryptionContext,
      },
      context,
    );
    return { keyArn: KeyId, encryptedDataKey: CiphertextBlob, encryptionContext, dataKeyId: source.dataKeyId };
  }

  /** @returns the grant's id; the same for a repetition under the same name. */
  async createGrant(grant: GrantRequest, context: RequestContext): Promise<string> {
    return (await this.send<{ GrantId: string }>('CreateGrant', grant, context)).GrantId;
  }

  /**
   * The id of the grant of that name, which a crash may have left behind before its id was noted; null when there is none.
   * The caller needs kms:ListGrants on the key for it to be found.
   */
  async findGrant({ KeyId, GranteePrincipal, Name }: GrantRequest, context: RequestContext): Promise<string | null> {
    type Output = { Grants?: { GrantId: string; Name?: string }[]; NextMarker?: string };
    try {
      let Marker: string | undefined;
      do {
        const input = { KeyId, GranteePrincipal, Limit: 100, ...(Marker === undefined ? {} : { Marker }) };
        const page = await this.send<Output>('ListGrants', input, context);
        const found = page.Grants?.find((grant) => grant.Name === Name);
        if (found !== undefined) return found.GrantId;
        Marker = page.NextMarker;
      } while (Marker !== undefined);
      return null;
    } catch (error) {
      if (isRefusal(error)) return null;
      throw error;
    }
  }

  /** Takes a grant back; one that is gone already, or whose key is, needs nothing. */
  async retireGrant(keyArn: string, grantId: string, context: RequestContext): Promise<void> {
    try {
      await this.send('RetireGrant', { KeyId: keyArn, GrantId: grantId }, context);
    } catch (error) {
      if (!(error instanceof AwsError) || error.code !== 'NotFoundException') throw error;
    }
  }
}
