import { AwsError, type InternalRequests, type RequestContext } from '@holdfast/contracts';
import type { RequestHandlers } from '@holdfast/messaging';
import { accessKeys } from '../../application/access-keys.ts';
import { accessKeyUses } from '../../application/access-key-uses.ts';
import { account } from '../../application/account.ts';
import { accountAliases } from '../../application/account-aliases.ts';
import { accountAuthorizationDetails } from '../../application/account-authorization-details.ts';
import type { Action } from '../../application/action.ts';
import { entityPolicies } from '../../application/entity-policies.ts';
import { findInstanceProfile } from '../../application/find-instance-profile.ts';
import { getIamResource } from '../../application/get-iam-resource.ts';
import { groups } from '../../application/groups.ts';
import { instanceProfiles } from '../../application/instance-profiles.ts';
import { managedPolicies } from '../../application/managed-policies.ts';
import type { Iam } from '../../application/ports.ts';
import { getPrincipalPolicies, isTemporary } from '../../application/principal-policies.ts';
import { resolveSigningKey } from '../../application/resolve-signing-key.ts';
import { roles } from '../../application/roles.ts';
import { encodeAuthorizationMessage, stsActions } from '../../application/session-tokens.ts';
import { serviceLinkedRoles } from '../../application/service-linked-roles.ts';
import { signIn } from '../../application/sign-in.ts';
import { simulations } from '../../application/simulate-policies.ts';
import { tags } from '../../application/tags.ts';
import { resolvePrincipals } from '../../application/trust-policies.ts';
import { users } from '../../application/users.ts';
import { toAwsError } from './iam-errors.ts';

const IAM_ACTIONS = {
  ...users,
  ...groups,
  ...roles,
  ...instanceProfiles,
  ...managedPolicies,
  ...entityPolicies,
  ...tags,
  ...accessKeys,
  ...account,
  ...accountAliases,
  ...accountAuthorizationDetails,
  ...accessKeyUses,
  ...serviceLinkedRoles,
  ...signIn,
  ...simulations,
};

const invalidToken = () =>
  new AwsError({
    code: 'InvalidClientTokenId',
    message: 'The security token included in the request is invalid.',
    status: 403,
  });

/**
 * Credentials of GetSessionToken and GetFederationToken call no IAM operation; those of a role do.
 * @see IAM user guide, Compare AWS STS credentials
 */
const checkMayCallIam = ({ principal }: RequestContext): void => {
  if (principal.type !== 'AssumedRole' && isTemporary(principal)) throw invalidToken();
};

const handlersOf = (actions: object, iam: Iam, check: (context: RequestContext) => void): RequestHandlers =>
  Object.fromEntries(
    Object.entries(actions as Record<string, Action>).map(([name, action]) => [
      name,
      async (input: never, context: RequestContext) => {
        try {
          check(context);
          return await action(iam, input, context);
        } catch (error) {
          throw toAwsError(error);
        }
      },
    ]),
  );

export const identityRequests = (iam: Iam): RequestHandlers => ({
  ...handlersOf(IAM_ACTIONS, iam, checkMayCallIam),
  ...handlersOf(stsActions, iam, () => undefined),
  ResolveSigningKey: (input: InternalRequests['identity']['ResolveSigningKey']['in']) => resolveSigningKey(iam, input),
  GetPrincipalPolicies: (input: InternalRequests['identity']['GetPrincipalPolicies']['in']) =>
    getPrincipalPolicies(iam, input),
  GetIamResource: (input: InternalRequests['identity']['GetIamResource']['in'], context: RequestContext) =>
    getIamResource(iam, input, context),
  FindInstanceProfile: (input: InternalRequests['identity']['FindInstanceProfile']['in'], context: RequestContext) =>
    findInstanceProfile(iam, input, context),
  ResolvePrincipals: (input: InternalRequests['identity']['ResolvePrincipals']['in']) => resolvePrincipals(iam, input),
  EncodeAuthorizationMessage: (
    input: InternalRequests['identity']['EncodeAuthorizationMessage']['in'],
    context: RequestContext,
  ) => encodeAuthorizationMessage(iam, input, context),
});
