import { deriveSigningKey } from '@holdfast/aws-protocol';
import type { InternalRequests } from '@holdfast/contracts';
import { seal } from '@holdfast/sealing';
import type { AccessKeys } from '../domain/access-keys.ts';

type Resolve = InternalRequests['identity']['ResolveSigningKey'];

/** Gives the gateway one day's signing key rather than the secret, and sealed: neither crosses the bus in the clear. */
export class ResolveSigningKey {
  constructor(private readonly accessKeys: AccessKeys) {}

  async run({ accessKeyId, date, region, service, recipientPublicKey }: Resolve['in']): Promise<Resolve['out']> {
    const key = this.accessKeys.find(accessKeyId);
    if (key === null) return null;
    const signingKey = deriveSigningKey(key.secretAccessKey, date, region, service).export();
    const sealedSigningKey = await seal(recipientPublicKey, signingKey, 'signing-key');
    signingKey.fill(0);
    return { principal: key.principal, accountId: key.principal.accountId, sealedSigningKey };
  }
}
