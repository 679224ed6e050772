import type { Decision, PolicySide } from './decision.ts';

// The sentences in which AWS's APIs refuse. @see IAM user guide, Troubleshoot access denied error messages

const DENIED_IN: Record<PolicySide, string> = {
  identity: 'an identity-based policy',
  resource: 'a resource-based policy',
  boundary: 'a permissions boundary',
  session: 'a session policy',
};

const ALLOWED_BY: Record<PolicySide, string> = {
  identity: 'identity-based policy',
  resource: 'resource-based policy',
  boundary: 'permissions boundary',
  session: 'session policy',
};

/** @throws RangeError on a decision that allows: there is nothing to say. */
const because = ({ reason, request }: Decision): string => {
  switch (reason.kind) {
    case 'explicit-deny':
      return `with an explicit deny in ${DENIED_IN[reason.in]}`;
    case 'implicit-deny':
      return `because no ${ALLOWED_BY[reason.missing]} allows the ${request.action} action`;
    case 'allowed':
      throw new RangeError(`${request.action} is allowed`);
  }
};

const notAuthorized = ({ request: { principal, action } }: Decision): string =>
  `User: ${principal.arn} is not authorized to perform: ${action}`;

/** Whole sentence of IAM's and most other APIs' AccessDenied. */
export const denialMessage = (decision: Decision): string =>
  `${notAuthorized(decision)} on resource: ${decision.request.resource} ${because(decision)}`;

/** Of KMS's AccessDeniedException. */
export const kmsDenialMessage = denialMessage;

/** The same about a key that is yet to be made, which may not get tags: AWS then names no resource. */
export const kmsTagOnCreateDenialMessage = (decision: Decision): string =>
  `${notAuthorized(decision)} ${because(decision)}`;

/** Of EBS direct's AccessDeniedException. */
export const ebsDenialMessage = denialMessage;

/**
 * When a key or alias of another account does not exist, or might not: it gives nothing away.
 * @param request the principal's ARN, the action with its vendor, and the ARN that was asked for.
 */
export const kmsForeignDenialMessage = (request: { principalArn: string; action: string; resource: string }): string =>
  `User: ${request.principalArn} is not authorized to perform: ${request.action} on resource: ${request.resource} because ` +
  'the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy ' +
  'explicitly denies access';

/**
 * Of EC2's UnauthorizedOperation.
 * @param encoded the encoded authorization message; EC2 sends none for actions without resource-level permissions.
 */
export const ec2DenialMessage = (decision: Decision, encoded?: string): string => {
  const { resource } = decision.request;
  const on = resource === '*' ? '' : ` on resource: ${resource}`;
  const sentence = `You are not authorized to perform this operation. ${notAuthorized(decision)}${on} ${because(decision)}`;
  return encoded === undefined ? sentence : `${sentence}. Encoded authorization failure message: ${encoded}`;
};

/** Of STS's AccessDenied. It does not tell a trust policy that does not admit the caller from a role that does not exist. */
export const stsDenialMessage = (decision: Decision): string => {
  const { reason, request } = decision;
  if (reason.kind !== 'implicit-deny' || reason.missing !== 'resource') return denialMessage(decision);
  return `${notAuthorized(decision)} on resource: ${request.resource}`;
};
