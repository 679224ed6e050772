import type { AccountId, Instant } from '@holdfast/contracts';
import { refuse } from './errors.ts';
import type { CommandOf, IamCommand } from './iam.commands.ts';
import type { IamEvent, Tags } from './iam.events.ts';
import { type Entity, type IamState, type ManagedPolicy, type NamedKind, nameKey } from './iam.state.ts';
import { awsManagedPolicy } from './aws-managed-policies.ts';
import { MAX_TAGS, QUOTAS, SERVICE_ROLE_PATH } from './quotas.ts';

export type Decisions<Types extends IamCommand['type']> = {
  readonly [Type in Types]: (command: CommandOf<Type>, state: IamState) => readonly IamEvent[];
};

export const factOf = ({ accountId, at }: { accountId: AccountId; at: Instant }) => ({ accountId, at });

/** @throws DomainError EntityNotFound */
export const existing = (state: IamState, kind: NamedKind, name: string): Entity => {
  const id = state.names.get(nameKey(kind, name));
  return (id === undefined ? undefined : state.entities.get(id)) ?? refuse('EntityNotFound', { kind, name });
};

/** A role as its account may change it. @throws DomainError EntityNotFound | RoleProtected */
export const changeable = (state: IamState, kind: NamedKind, name: string): Entity => {
  const entity = existing(state, kind, name);
  const isProtected = kind === 'role' && entity.path.startsWith(SERVICE_ROLE_PATH);
  return isProtected ? refuse('RoleProtected', { name: entity.name }) : entity;
};

/** @throws DomainError PolicyNotFound | PolicyNotChangeable for one of AWS's. */
export const ownPolicy = (state: IamState, arn: string): ManagedPolicy => {
  if (awsManagedPolicy(arn) !== null) return refuse('PolicyNotChangeable', { arn });
  return state.policies.get(arn) ?? refuse('PolicyNotFound', { arn });
};

/** @throws DomainError PolicyNotAttachable when there is no such policy in the account or among AWS's. */
export const checkAttachable = (state: IamState, arn: string | null): void => {
  if (arn === null || state.policies.has(arn) || awsManagedPolicy(arn) !== null) return;
  refuse('PolicyNotAttachable', { arn });
};

/** @throws DomainError EntityAlreadyExists */
export const checkNameIsFree = (state: IamState, kind: NamedKind, name: string): void => {
  if (state.names.has(nameKey(kind, name))) refuse('EntityAlreadyExists', { kind, name });
};

/** @throws DomainError QuotaExceeded when there are as many as may be already. */
export const checkQuota = (count: number, quota: keyof typeof QUOTAS): void => {
  if (count >= QUOTAS[quota]) refuse('QuotaExceeded', { quota, limit: QUOTAS[quota] });
};

/** What `change` adds to `tags`: keys differ by more than case. @throws DomainError TooManyTags */
export const mergedTags = (tags: Tags, change: Tags): Tags => {
  const replaced = new Set(Object.keys(change).map((key) => key.toLowerCase()));
  const kept = Object.entries(tags).filter(([key]) => !replaced.has(key.toLowerCase()));
  const merged = [...kept, ...Object.entries(change)];
  if (merged.length > MAX_TAGS) refuse('TooManyTags', {});
  return Object.fromEntries(merged);
};

export const haveSameTags = (a: Tags, b: Tags): boolean => {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && a[key] === b[key]);
};

/** @throws DomainError DeleteConflict with the first reason that holds. */
export const checkNothingLeft = (reasons: readonly (readonly [boolean, string])[]): void => {
  const why = reasons.find(([holds]) => holds)?.[1];
  if (why !== undefined) refuse('DeleteConflict', { why });
};
