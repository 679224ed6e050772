import { AwsError, keyArn, type KeyArn, type RequestContext } from '@holdfast/contracts';
import type { Requests } from '@holdfast/messaging';
import type { KmsKeys } from '../../application/ports.ts';

/** The members of DescribeKey's answer that decide whether EBS can use a key. */
interface KeyMetadata {
  Arn: string;
  KeyState: string;
  KeySpec: string;
  KeyUsage: string;
}

const invalidKey = (keyId: string, reason: 'invalid' | 'disabled') =>
  new AwsError({ code: 'InvalidParameterValue', message: `The specified keyId ${keyId} is ${reason}` });

export class KmsKeysOverBus implements KmsKeys {
  constructor(private readonly requests: Requests) {}

  async usableKey(keyId: string, context: RequestContext): Promise<KeyArn> {
    const { Arn, KeyState, KeySpec, KeyUsage } = await this.describe(keyId, context);
    // AWS documents no text for these; they are the ones that CopySnapshot answers with for the same faults.
    if (KeySpec !== 'SYMMETRIC_DEFAULT' || KeyUsage !== 'ENCRYPT_DECRYPT') throw invalidKey(keyId, 'invalid');
    if (KeyState === 'Disabled') throw invalidKey(keyId, 'disabled');
    if (KeyState !== 'Enabled') throw invalidKey(keyId, 'invalid');
    return keyArn(Arn);
  }

  private async describe(keyId: string, context: RequestContext): Promise<KeyMetadata> {
    const asCallerThroughEc2 = { ...context, viaService: `ec2.${context.region}.amazonaws.com` };
    try {
      const answer = await this.requests.request<{ KeyMetadata: KeyMetadata }>(
        'kms',
        'DescribeKey',
        { KeyId: keyId },
        asCallerThroughEc2,
      );
      return answer.KeyMetadata;
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      if (error.code === 'AccessDeniedException') {
        throw new AwsError({ code: 'AuthFailure', status: 403, message: `Not authorized to use key ${keyId} ` });
      }
      throw invalidKey(keyId, 'invalid');
    }
  }
}
