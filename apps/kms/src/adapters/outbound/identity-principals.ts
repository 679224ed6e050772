import type { RequestContext } from '@holdfast/contracts';
import type { Requests } from '@holdfast/messaging';
import type { Principals } from '../../application/ports.ts';

/** What identity takes at once; a policy of 32 KiB can name more. */
const MAX_NAMES = 1000;

/** Asks `identity`, which knows who there is. */
export class IdentityPrincipals implements Principals {
  constructor(private readonly requests: Requests) {}

  async resolve(names: readonly string[], context: RequestContext): Promise<ReadonlyMap<string, string | null>> {
    const found = new Map<string, string | null>();
    for (let at = 0; at < names.length; at += MAX_NAMES) {
      const arns = names.slice(at, at + MAX_NAMES);
      const { principalIds } = await this.requests.call('identity', 'ResolvePrincipals', { arns }, context);
      for (const arn of arns) found.set(arn, Object.hasOwn(principalIds, arn) ? (principalIds[arn] ?? null) : null);
    }
    return found;
  }
}
