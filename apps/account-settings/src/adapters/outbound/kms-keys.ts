import { keyArn, type KeyArn, type RequestContext } from '@holdfast/contracts';
import { EbsKeys, forwardedContext } from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { KmsKeys } from '../../application/ports.ts';

/** AWS documents no text for a default key that EBS cannot use; CopySnapshot's for the same faults serve. */
export class KmsKeysOverBus implements KmsKeys {
  private readonly keys: EbsKeys;

  constructor(requests: Requests) {
    this.keys = new EbsKeys((action, input, context) => requests.request('kms', action, input, context));
  }

  async usableKey(keyId: string, context: RequestContext): Promise<KeyArn> {
    return keyArn(await this.keys.usableKey(keyId, forwardedContext(context, context.deadlineMs)));
  }
}
