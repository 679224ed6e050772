import { randomBytes } from 'node:crypto';
import type { GrantTokens } from '../../application/ports.ts';
import { refuse } from '../../domain/errors.ts';
import { signText, verifyText } from './signed-text.ts';

const NONCE_BYTES = 16;

/** Nothing is stored for a token: it says which grant, and its signature that it is ours. */
export class SignedGrantTokens implements GrantTokens {
  constructor(private readonly keys: readonly Buffer[]) {}

  issue(grantId: string, keyId: string): string {
    return signText(
      this.keys,
      Buffer.concat([randomBytes(NONCE_BYTES), Buffer.from(JSON.stringify([grantId, keyId]))]),
    );
  }

  read(token: string): { grantId: string; keyId: string } {
    const payload = verifyText(this.keys, token);
    if (payload === null) return refuse('InvalidGrantToken', {});
    const [grantId, keyId] = JSON.parse(payload.toString('utf8', NONCE_BYTES)) as [string, string];
    return { grantId, keyId };
  }
}
