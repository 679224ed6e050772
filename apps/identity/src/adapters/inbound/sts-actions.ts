import type { sts } from '@holdfast/aws-protocol';
import type { InternalRequests, RequestContext } from '@holdfast/contracts';
import type { RequestHandlers } from '@holdfast/messaging';
import type { ResolveSigningKey } from '../../application/resolve-signing-key.ts';

export const stsActions = (resolveSigningKey: ResolveSigningKey) =>
  ({
    // Whoever is authenticated may ask; the context says who that is.
    GetCallerIdentity: (_input: sts.GetCallerIdentityRequest, { principal }: RequestContext) =>
      Promise.resolve({ Account: principal.accountId, Arn: principal.arn, UserId: principal.principalId }),
    ResolveSigningKey: (input: InternalRequests['identity']['ResolveSigningKey']['in']) => resolveSigningKey.run(input),
  }) satisfies RequestHandlers;
