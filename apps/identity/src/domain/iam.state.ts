import type { EntityKind, IamEvent, Tags } from './iam.events.ts';
import { PersistentMap } from './persistent-map.ts';

export type NamedKind = EntityKind | 'instance-profile';

/** A user, group, role or instance profile: only what later decisions need. */
export interface Entity {
  readonly kind: NamedKind;
  readonly id: string;
  readonly name: string;
  readonly path: string;
  /** Inline policies' sizes by name. */
  readonly inline: Readonly<Record<string, number>>;
  readonly attached: readonly string[];
  readonly boundary: string | null;
  readonly tags: Tags;
  /** Of a user its groups, of a group its users, of a role its instance profiles, of one of those its role. */
  readonly related: readonly string[];
  readonly accessKeys: readonly string[];
  readonly description: string | null;
  readonly maxSessionDurationSeconds: number;
}

export interface ManagedPolicy {
  readonly name: string;
  readonly versions: readonly string[];
  readonly defaultVersion: string;
  readonly lastVersion: number;
  /** How many entities it is attached to, and how many it bounds. */
  readonly attachments: number;
  readonly boundaries: number;
  readonly tags: Tags;
}

export interface IamState {
  readonly entities: PersistentMap<Entity>;
  /** From `<kind>/<name in lower case>` to ids: names differ by more than case. */
  readonly names: PersistentMap<string>;
  readonly counts: Readonly<Record<NamedKind, number>>;
  /** By ARN. */
  readonly policies: PersistentMap<ManagedPolicy>;
  /** Lower-case names of policies. */
  readonly policyNames: PersistentMap<string>;
  readonly accessKeys: PersistentMap<{ readonly userId: string; readonly isActive: boolean }>;
  /** The account's; null: it has none. */
  readonly alias: string | null;
}

export const initialState: IamState = {
  entities: PersistentMap.empty(),
  names: PersistentMap.empty(),
  counts: { user: 0, group: 0, role: 0, 'instance-profile': 0 },
  policies: PersistentMap.empty(),
  policyNames: PersistentMap.empty(),
  accessKeys: PersistentMap.empty(),
  alias: null,
};

export const nameKey = (kind: NamedKind, name: string): string => `${kind}/${name.toLowerCase()}`;

type Created = Pick<Entity, 'kind' | 'id' | 'name' | 'path'> & Partial<Entity>;

const created = (state: IamState, entity: Created): IamState => ({
  ...state,
  entities: state.entities.set(entity.id, {
    inline: {},
    attached: [],
    boundary: null,
    tags: {},
    related: [],
    accessKeys: [],
    description: null,
    maxSessionDurationSeconds: 0,
    ...entity,
  }),
  names: state.names.set(nameKey(entity.kind, entity.name), entity.id),
  counts: { ...state.counts, [entity.kind]: state.counts[entity.kind] + 1 },
});

const deleted = (state: IamState, id: string): IamState => {
  const entity = state.entities.get(id);
  if (entity === undefined) return state;
  const bounded = entity.boundary === null ? state : counted(state, entity.boundary, 'boundaries', -1);
  return {
    ...bounded,
    entities: state.entities.delete(id),
    names: state.names.delete(nameKey(entity.kind, entity.name)),
    counts: { ...state.counts, [entity.kind]: state.counts[entity.kind] - 1 },
  };
};

const changed = (state: IamState, id: string, change: (entity: Entity) => Partial<Entity>): IamState => {
  const entity = state.entities.get(id);
  return entity === undefined
    ? state
    : { ...state, entities: state.entities.set(id, { ...entity, ...change(entity) }) };
};

const renamed = (state: IamState, id: string, name: string, path: string): IamState => {
  const entity = state.entities.get(id);
  if (entity === undefined) return state;
  const names = state.names.delete(nameKey(entity.kind, entity.name)).set(nameKey(entity.kind, name), id);
  return changed({ ...state, names }, id, () => ({ name, path }));
};

const changedPolicy = (
  state: IamState,
  arn: string,
  change: (policy: ManagedPolicy) => Partial<ManagedPolicy>,
): IamState => {
  const policy = state.policies.get(arn);
  return policy === undefined
    ? state
    : { ...state, policies: state.policies.set(arn, { ...policy, ...change(policy) }) };
};

/** Policies that AWS manages are not among an account's own, and nobody counts them. */
const counted = (state: IamState, arn: string, what: 'attachments' | 'boundaries', by: number): IamState =>
  changedPolicy(state, arn, (policy) => ({ [what]: policy[what] + by }));

const without = <T>(list: readonly T[], element: T): readonly T[] => list.filter((one) => one !== element);

const related = (state: IamState, one: string, other: string, isRelated: boolean): IamState => {
  const change = (id: string) => (entity: Entity) => ({
    related: isRelated ? [...entity.related, id] : without(entity.related, id),
  });
  return changed(changed(state, one, change(other)), other, change(one));
};

const boundary = (state: IamState, id: string, arn: string | null): IamState => {
  const before = state.entities.get(id)?.boundary ?? null;
  const released = before === null ? state : counted(state, before, 'boundaries', -1);
  const bound = arn === null ? released : counted(released, arn, 'boundaries', 1);
  return changed(bound, id, () => ({ boundary: arn }));
};

type Evolve = { [T in IamEvent['type']]: (state: IamState, event: Extract<IamEvent, { type: T }>) => IamState };

const users: Pick<Evolve, 'UserCreated' | 'UserUpdated' | 'UserDeleted' | 'UserAddedToGroup' | 'UserRemovedFromGroup'> =
  {
    UserCreated: (state, { userId, userName, path, tags, permissionsBoundary }) =>
      boundary(created(state, { kind: 'user', id: userId, name: userName, path, tags }), userId, permissionsBoundary),
    UserUpdated: (state, { userId, userName, path }) => renamed(state, userId, userName, path),
    UserDeleted: (state, { userId }) => deleted(state, userId),
    UserAddedToGroup: (state, { userId, groupId }) => related(state, userId, groupId, true),
    UserRemovedFromGroup: (state, { userId, groupId }) => related(state, userId, groupId, false),
  };

const accessKey = (state: IamState, accessKeyId: string, userId: string, isActive: boolean): IamState => ({
  ...state,
  accessKeys: state.accessKeys.set(accessKeyId, { userId, isActive }),
});

const evolveBy: Evolve = {
  ...users,
  GroupCreated: (state, { groupId, groupName, path }) =>
    created(state, { kind: 'group', id: groupId, name: groupName, path }),
  GroupUpdated: (state, { groupId, groupName, path }) => renamed(state, groupId, groupName, path),
  GroupDeleted: (state, { groupId }) => deleted(state, groupId),
  RoleCreated: (state, { roleId: id, roleName: name, path, tags, permissionsBoundary, ...event }) => {
    const { description, maxSessionDurationSeconds } = event;
    const role = { kind: 'role', id, name, path, tags, description, maxSessionDurationSeconds } as const;
    return boundary(created(state, role), id, permissionsBoundary);
  },
  RoleUpdated: (state, { roleId, description, maxSessionDurationSeconds }) =>
    changed(state, roleId, () => ({ description, maxSessionDurationSeconds })),
  AssumeRolePolicyUpdated: (state) => state,
  RoleDeleted: (state, { roleId }) => deleted(state, roleId),
  PolicyCreated: (state, { policyArn, policyName, tags }) => ({
    ...state,
    policies: state.policies.set(policyArn, {
      ...{ name: policyName, versions: ['v1'], defaultVersion: 'v1', lastVersion: 1, tags },
      ...{ attachments: 0, boundaries: 0 },
    }),
    policyNames: state.policyNames.set(policyName.toLowerCase(), policyArn),
  }),
  PolicyVersionCreated: (state, { policyArn, versionId, isDefault }) =>
    changedPolicy(state, policyArn, ({ versions, defaultVersion, lastVersion }) => ({
      versions: [...versions, versionId],
      defaultVersion: isDefault ? versionId : defaultVersion,
      lastVersion: lastVersion + 1,
    })),
  DefaultPolicyVersionSet: (state, { policyArn, versionId }) =>
    changedPolicy(state, policyArn, () => ({ defaultVersion: versionId })),
  PolicyVersionDeleted: (state, { policyArn, versionId }) =>
    changedPolicy(state, policyArn, ({ versions }) => ({ versions: without(versions, versionId) })),
  PolicyDeleted: (state, { policyArn }) => ({
    ...state,
    policies: state.policies.delete(policyArn),
    policyNames: state.policyNames.delete(state.policies.get(policyArn)?.name.toLowerCase() ?? ''),
  }),
  InlinePolicyPut: (state, { entityId, policyName, sizeCharacters }) =>
    changed(state, entityId, ({ inline }) => ({ inline: { ...inline, [policyName]: sizeCharacters } })),
  InlinePolicyDeleted: (state, { entityId, policyName }) =>
    changed(state, entityId, ({ inline: { [policyName]: _removed, ...inline } }) => ({ inline })),
  PolicyAttached: (state, { entityId, policyArn }) =>
    changed(counted(state, policyArn, 'attachments', 1), entityId, ({ attached }) => ({
      attached: [...attached, policyArn],
    })),
  PolicyDetached: (state, { entityId, policyArn }) =>
    changed(counted(state, policyArn, 'attachments', -1), entityId, ({ attached }) => ({
      attached: without(attached, policyArn),
    })),
  PermissionsBoundaryPut: (state, { entityId, policyArn }) => boundary(state, entityId, policyArn),
  PermissionsBoundaryDeleted: (state, { entityId }) => boundary(state, entityId, null),
  TagsChanged: (state, { kind, resourceId, tags }) =>
    kind === 'policy'
      ? changedPolicy(state, resourceId, () => ({ tags }))
      : changed(state, resourceId, () => ({ tags })),
  AccessKeyCreated: (state, { accessKeyId, userId }) =>
    changed(accessKey(state, accessKeyId, userId, true), userId, ({ accessKeys }) => ({
      accessKeys: [...accessKeys, accessKeyId],
    })),
  AccessKeyActivated: (state, { accessKeyId, userId }) => accessKey(state, accessKeyId, userId, true),
  AccessKeyDeactivated: (state, { accessKeyId, userId }) => accessKey(state, accessKeyId, userId, false),
  AccessKeyDeleted: (state, { accessKeyId, userId }) =>
    changed({ ...state, accessKeys: state.accessKeys.delete(accessKeyId) }, userId, ({ accessKeys }) => ({
      accessKeys: without(accessKeys, accessKeyId),
    })),
  InstanceProfileCreated: (state, { instanceProfileId: id, instanceProfileName: name, path, tags }) =>
    created(state, { kind: 'instance-profile', id, name, path, tags }),
  InstanceProfileDeleted: (state, { instanceProfileId }) => deleted(state, instanceProfileId),
  RoleAddedToInstanceProfile: (state, { instanceProfileId, roleId }) => related(state, instanceProfileId, roleId, true),
  RoleRemovedFromInstanceProfile: (state, { instanceProfileId, roleId }) =>
    related(state, instanceProfileId, roleId, false),
  AccountAliasCreated: (state, { alias }) => ({ ...state, alias }),
  AccountAliasDeleted: (state) => ({ ...state, alias: null }),
};

export const evolve = (state: IamState, event: IamEvent): IamState =>
  (evolveBy[event.type] as (state: IamState, event: IamEvent) => IamState)(state, event);
