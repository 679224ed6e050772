import type { AccountId, Caller, Instant } from '@holdfast/contracts';
import type { DecisionRecord } from '@holdfast/iam';
import type { Clock } from '@holdfast/service-kit';
import type { AccessKeys } from '../domain/access-keys.ts';
import type { IamCommand } from '../domain/iam.commands.ts';
import type { EntityKind, IamEvent, PrincipalIds, Tags } from '../domain/iam.events.ts';
import type { NamedKind } from '../domain/iam.state.ts';
import type { IssueSession, SessionIssued } from '../domain/session.decider.ts';

export interface AccountStreams {
  /** @returns the appended events; none when the command repeats a fact. @throws DomainError IamErrorCode */
  handle(command: IamCommand, caller: Caller): Promise<readonly IamEvent[]>;
}

export interface SessionStreams {
  issue(session: IssueSession, caller: Caller): Promise<void>;
}

export interface AccessKeySecrets {
  /** Before the key exists, so that no key is without its secret. @param secret stays the caller's to zero. */
  store(accessKeyId: string, secret: Buffer): Promise<void>;
  discard(accessKeyId: string): Promise<void>;
  /** @returns a buffer for the caller to zero. */
  open(accessKeyId: string, wrapped: Buffer): Promise<Buffer>;
}

export interface SessionSecrets {
  readonly currentKeyId: string;
  of(accessKeyId: string, secretsKeyId: string): { secretAccessKey: string; sessionToken: string };
}

/** Pages' markers. `list`: whose and which list; a marker of another one is none (null). */
export interface Markers {
  write(list: string, after: string): string;
  read(list: string, marker: string): string | null;
}

export interface AuthorizationMessages {
  encode(accountId: AccountId, message: string): string;
  /** Null: not a message of this account. */
  decode(accountId: AccountId, encoded: string): string | null;
}

/** A user, group, role or instance profile. */
export interface IdentityRow {
  id: string;
  accountId: AccountId;
  kind: NamedKind;
  name: string;
  lowerName: string;
  path: string;
  arn: string;
  tags: Tags;
  permissionsBoundary: string | null;
  description: string | null;
  trustPolicy: string | null;
  principalIds: PrincipalIds;
  maxSessionSeconds: number | null;
  createdAt: string;
}

export interface ManagedPolicyRow {
  arn: string;
  policyId: string;
  name: string;
  lowerName: string;
  path: string;
  description: string | null;
  defaultVersion: string;
  tags: Tags;
  createdAt: string;
  updatedAt: string;
  attachments: number;
  boundaries: number;
}

export interface PolicyVersionRow {
  versionId: string;
  document: string;
  createdAt: string;
}

export interface InlinePolicyRow {
  policyName: string;
  document: string;
}

export interface AccessKeyRow {
  accessKeyId: string;
  isActive: boolean;
  createdAt: string;
}

/** An active key and its user. */
export interface ActiveAccessKey {
  accountId: AccountId;
  userId: string;
  userName: string;
  userArn: string;
  wrapped: Buffer;
}

export interface SessionRow extends Omit<SessionIssued, 'type' | 'at' | 'expiresAt'> {
  expiresAt: Date;
}

/** Part of a list in the order of names. `after`: the lower-case name of the last one before; '' for the first page. */
export interface PartOfList {
  after: string;
  limit: number;
  pathPrefix: string;
}

export interface AccessKeyUse {
  usedAt: Instant;
  region: string;
  /** As signatures name it: `ec2`. */
  service: string;
}

export interface AccessKeyUses {
  /** Soon written, apart from the request that it is about. */
  note(accessKeyId: string, use: AccessKeyUse): void;
  last(accessKeyId: string): Promise<AccessKeyUse | null>;
}

export interface IamTables {
  accountAlias(accountId: string): Promise<string | null>;
  accountOfAlias(alias: string): Promise<string | null>;
  /** Whose long-lived key it is, active or not. */
  accessKeyUser(accessKeyId: string): Promise<{ accountId: string; userName: string } | null>;
  /** Another one after each change to the account's IAM. */
  accountVersion(accountId: string): Promise<string>;
  identity(accountId: string, kind: NamedKind, name: string): Promise<IdentityRow | null>;
  identityById(id: string): Promise<IdentityRow | null>;
  identitiesByArn(arns: readonly string[]): Promise<IdentityRow[]>;
  identities(accountId: string, kind: NamedKind, part: PartOfList): Promise<IdentityRow[]>;
  /** By kind. */
  counts(accountId: string): Promise<Partial<Record<NamedKind | 'policy' | 'policy-version', number>>>;
  groupsOf(userId: string): Promise<IdentityRow[]>;
  membersOf(groupId: string): Promise<IdentityRow[]>;
  roleOfProfiles(instanceProfileIds: readonly string[]): Promise<(IdentityRow & { instanceProfileId: string })[]>;
  profilesOf(roleId: string): Promise<IdentityRow[]>;
  inlinePolicies(identityIds: readonly string[]): Promise<(InlinePolicyRow & { identityId: string })[]>;
  attachedPolicies(identityIds: readonly string[]): Promise<{ identityId: string; arn: string }[]>;
  entitiesWith(
    accountId: string,
    arn: string,
  ): Promise<(Pick<IdentityRow, 'id' | 'name' | 'path'> & { kind: EntityKind; isBoundary: boolean })[]>;
  policies(accountId: string, part: PartOfList & { onlyAttached: boolean }): Promise<ManagedPolicyRow[]>;
  policy(arn: string): Promise<ManagedPolicyRow | null>;
  versions(arn: string): Promise<PolicyVersionRow[]>;
  /** Default versions' documents by ARN. */
  defaultDocuments(arns: readonly string[]): Promise<Map<string, string>>;
  /** How many entities of the account each of these AWS-managed policies is attached to, or bounds. */
  usesOf(accountId: string, arns: readonly string[]): Promise<Map<string, { attachments: number; boundaries: number }>>;
  accessKeys(userId: string): Promise<AccessKeyRow[]>;
  activeAccessKey(accessKeyId: string): Promise<ActiveAccessKey | null>;
  accessKeyOwner(accessKeyId: string): Promise<AccountId | null>;
  /** Null also when the user or role that it stands for is gone. */
  session(accessKeyId: string): Promise<SessionRow | null>;
}

/** Where decisions are kept, to be explained. */
export interface Decisions {
  allowed(record: DecisionRecord): void;
  /** Resolves once it is kept, or could not be. */
  refused(record: DecisionRecord): Promise<void>;
}

/** What the actions work with. */
export interface Iam {
  readonly decisions: Decisions;
  readonly clock: Clock;
  readonly rootKeys: AccessKeys;
  readonly accounts: AccountStreams;
  readonly sessions: SessionStreams;
  readonly tables: IamTables;
  readonly keySecrets: AccessKeySecrets;
  readonly sessionSecrets: SessionSecrets;
  readonly markers: Markers;
  readonly messages: AuthorizationMessages;
  readonly keyUses: AccessKeyUses;
}
