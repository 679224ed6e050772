import type { Principal as CallerPrincipal } from '@holdfast/contracts';

export type Tags = Readonly<Record<string, string>>;

/** An account's root user. */
export interface RootUser {
  readonly kind: 'root';
  readonly accountId: string;
  readonly arn: string;
  /** The account id. */
  readonly id: string;
}
export interface User {
  readonly kind: 'user';
  readonly accountId: string;
  /** With the path: `arn:aws:iam::<account>:user/division/bob`. */
  readonly arn: string;
  readonly name: string;
  /** `AIDA…`. */
  readonly id: string;
  readonly tags: Tags;
}
export interface RoleSession {
  readonly kind: 'role-session';
  readonly accountId: string;
  /** `arn:aws:sts::<account>:assumed-role/<role name without path>/<session>`. */
  readonly arn: string;
  /** With the path: `arn:aws:iam::<account>:role/service-role/backup`. */
  readonly roleArn: string;
  /** `AROA…:<session>`. */
  readonly id: string;
  /** Of the role and of the session; the session's win. */
  readonly tags: Tags;
  /** Who is behind it, as was said when the first role was assumed. */
  readonly sourceIdentity?: string;
}
/** A session of GetFederationToken. */
export interface FederatedUser {
  readonly kind: 'federated-user';
  readonly accountId: string;
  /** `arn:aws:sts::<account>:federated-user/<name>`. */
  readonly arn: string;
  /** The user who asked for the session, with the path; null: the account's root user did. */
  readonly userArn: string | null;
  /** That user's `AIDA…`; null: the root user's session, or one of before sessions knew it. */
  readonly userId: string | null;
  /** `<account>:<name>`. */
  readonly id: string;
  readonly tags: Tags;
}
/** An AWS service that acts for itself: it has no account and no identity-based policies. */
export interface ServicePrincipal {
  readonly kind: 'service';
  readonly accountId: null;
  /** Its DNS name. */
  readonly arn: string;
  readonly id: string;
}
export type Principal = RootUser | User | RoleSession | FederatedUser | ServicePrincipal;

export const rootArn = (accountId: string): string => `arn:aws:iam::${accountId}:root`;

const afterLastSlash = (arn: string): string => arn.slice(arn.lastIndexOf('/') + 1);

export const rootUser = (accountId: string): RootUser => ({
  kind: 'root',
  accountId,
  arn: rootArn(accountId),
  id: accountId,
});

/** @param user `arn` with the path, `id` `AIDA…`. */
export const user = ({ arn, id, tags = {} }: { arn: string; id: string; tags?: Tags }): User => ({
  kind: 'user',
  accountId: arn.split(':')[4] ?? '',
  arn,
  name: afterLastSlash(arn),
  id,
  tags,
});

/** @param session `roleArn` with the path, `roleId` `AROA…`. */
export const roleSession = ({
  roleArn,
  roleId,
  sessionName,
  tags = {},
}: {
  roleArn: string;
  roleId: string;
  sessionName: string;
  tags?: Tags;
}): RoleSession => {
  const accountId = roleArn.split(':')[4] ?? '';
  const arn = `arn:aws:sts::${accountId}:assumed-role/${afterLastSlash(roleArn)}/${sessionName}`;
  return { kind: 'role-session', accountId, arn, roleArn, id: `${roleId}:${sessionName}`, tags };
};

export const federatedUser = ({
  accountId,
  userArn,
  userId = null,
  name,
  tags = {},
}: {
  accountId: string;
  userArn: string | null;
  userId?: string | null;
  name: string;
  tags?: Tags;
}): FederatedUser => {
  const arn = `arn:aws:sts::${accountId}:federated-user/${name}`;
  return { kind: 'federated-user', accountId, arn, userArn, userId, id: `${accountId}:${name}`, tags };
};

/** @param dnsName `ec2.<region>.amazonaws.com`. */
export const awsService = (dnsName: string): ServicePrincipal => ({
  kind: 'service',
  accountId: null,
  arn: dnsName,
  id: dnsName,
});

const SESSION_ARN = /^arn:aws:sts::\d{12}:assumed-role\/(.+)\/[^/]+$/;

/**
 * The principal of a request context, in the terms of policies.
 * @param tags of the user or role with the session's over them, as identity's GetPrincipalPolicies answers them; without it
 *   only those that the session was made with.
 */
export const principalOf = (caller: CallerPrincipal, tags: Tags = caller.sessionTags ?? {}): Principal => {
  const { type, arn, accountId, principalId: id, userName } = caller;
  switch (type) {
    case 'Root':
      return rootUser(accountId);
    case 'User':
      return { kind: 'user', accountId, arn, name: afterLastSlash(arn), id, tags };
    case 'AssumedRole': {
      const roleArn = caller.roleArn ?? `arn:aws:iam::${accountId}:role/${SESSION_ARN.exec(arn)?.[1] ?? ''}`;
      const { sourceIdentity } = caller;
      const source = sourceIdentity === undefined ? {} : { sourceIdentity };
      return { kind: 'role-session', accountId, arn, roleArn, id, tags, ...source };
    }
    case 'FederatedUser': {
      const { issuerArn, issuerId = null } = caller;
      const userArn = issuerArn ?? (userName === undefined ? null : `arn:aws:iam::${accountId}:user/${userName}`);
      return { kind: 'federated-user', accountId, arn, userArn, userId: issuerId, id, tags };
    }
    case 'AWSService':
      return awsService(arn);
  }
};

/**
 * How a policy or grant that names somebody reaches the principal: `direct`, by the very principal that calls; `underlying`,
 * by the role or user behind a session, so that boundaries and session policies still cut it; `account`, by the account,
 * which only delegates to its identity-based policies.
 */
export type Reach = 'direct' | 'underlying' | 'account';

const REACH_ORDER = { account: 1, underlying: 2, direct: 3 } as const;

export const furtherReach = (a: Reach | null, b: Reach | null): Reach | null => {
  if (a === null || b === null) return a ?? b;
  return REACH_ORDER[a] >= REACH_ORDER[b] ? a : b;
};

type Name = readonly [name: string, reach: Reach];

/** A user's or role's unique id, by which a policy can name it; other ids must not pass for one, or for an account's. */
const uniqueId = (id: string, prefix: 'AIDA' | 'AROA', reach: Reach): Name[] =>
  id.startsWith(prefix) ? [[id, reach]] : [];

/** Every name under which the principal may be listed, but for service names. Accounts by id. */
export const namesOf = (principal: Principal): readonly Name[] => {
  const { kind, accountId, arn, id } = principal;
  switch (kind) {
    case 'root':
      return [[accountId, 'direct']];
    case 'user':
      return [[arn, 'direct'], ...uniqueId(id, 'AIDA', 'direct'), [accountId, 'account']];
    case 'role-session': {
      const roleId = uniqueId(id.slice(0, id.lastIndexOf(':')), 'AROA', 'underlying');
      return [[arn, 'direct'], [principal.roleArn, 'underlying'], ...roleId, [accountId, 'account']];
    }
    case 'federated-user': {
      const { userArn, userId } = principal;
      const behind: Name[] = userArn === null ? [] : [[userArn, 'underlying']];
      return [[arn, 'direct'], ...behind, ...uniqueId(userId ?? '', 'AIDA', 'underlying'), [accountId, 'account']];
    }
    case 'service':
      return [];
  }
};

/** One identity of a principal: any of its names will do. */
type Names = readonly string[];

/**
 * The identities that NotPrincipal of a Deny must list, all of them, to spare the principal: its account and, for sessions,
 * what is behind them. A user or role may be listed by ARN or by unique id.
 * @see IAM user guide, JSON policy elements: NotPrincipal
 */
export const identitiesOf = (principal: Principal): readonly Names[] => {
  const { kind, accountId, arn, id } = principal;
  switch (kind) {
    case 'root':
      return [[accountId]];
    case 'user':
      return [[accountId], [arn, id]];
    case 'role-session':
      return [[accountId], [principal.roleArn, id.slice(0, id.lastIndexOf(':'))], [arn]];
    case 'federated-user': {
      const { userArn, userId } = principal;
      return [[accountId], ...(userArn === null ? [] : [userId === null ? [userArn] : [userArn, userId]]), [arn]];
    }
    case 'service':
      return [[arn]];
  }
};

/** How a policy names the principal so that it keeps meaning them: a role rather than one session of it. */
export const lastingArn = (principal: Principal): string =>
  principal.kind === 'role-session' ? principal.roleArn : principal.arn;
