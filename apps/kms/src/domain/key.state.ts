import { type AccountId, type Instant, instant, type Region } from '@holdfast/contracts';
import { assertNever } from '@holdfast/decider';
import type { KeySpec, KeyUsage } from './key-specs.ts';
import type { KeyState } from './key-state.ts';
import type { KeyEvent, KeyManager, KeyOrigin, PrincipalIds, Tag } from './key.events.ts';
import { keyArnOf } from './names.ts';

/** A key in one of its Regions. */
export interface RegionalKey {
  readonly status: KeyState;
  readonly deletionDate: Instant | null;
  /** Of a primary key that waits for its replicas. */
  readonly pendingWindowInDays: number | null;
  readonly description: string;
  readonly tags: ReadonlyMap<string, string>;
  /** Null: the default policy. */
  readonly policy: string | null;
  readonly principalIds: PrincipalIds;
  /** Imported materials that are here now, and until when. */
  readonly imported: ReadonlyMap<string, Instant | null>;
}

/** A key with all its Regions. Only what the next decision needs. */
export interface ExistingKey {
  readonly status: 'exists';
  readonly keyId: string;
  readonly accountId: AccountId;
  readonly keyManager: KeyManager;
  readonly keySpec: KeySpec;
  readonly keyUsage: KeyUsage;
  readonly origin: KeyOrigin;
  readonly multiRegion: boolean;
  readonly primaryRegion: Region;
  readonly regions: ReadonlyMap<Region, RegionalKey>;
  /** In order of rotation; the last one encrypts. */
  readonly materialIds: readonly string[];
  /** Imported, and waiting for RotateKeyOnDemand. */
  readonly pendingMaterialId: string | null;
  readonly rotation: { readonly periodInDays: number; readonly nextDate: Instant } | null;
  readonly onDemandRotations: number;
}

/** `absent` also after deletion: a key's id is never used again, and nobody can tell the two apart. */
export type KeyHistory = { readonly status: 'absent' } | { readonly status: 'deleted' } | ExistingKey;

export const arnIn = (key: ExistingKey, region: Region): string =>
  keyArnOf({ region, accountId: key.accountId }, key.keyId);

const DAY_MS = 86_400_000;
/** AWS's default for automatic rotation, and what its own keys rotate by. */
export const DEFAULT_ROTATION_DAYS = 365;

export const daysAfter = (at: Instant, days: number): Instant => instant(new Date(Date.parse(at) + days * DAY_MS));

const tagMap = (tags: readonly Tag[]): Map<string, string> =>
  new Map(tags.map(({ TagKey, TagValue }) => [TagKey, TagValue]));

const newRegional = (
  event: { description: string; tags: readonly Tag[]; policy?: string | null; principalIds?: PrincipalIds },
  status: KeyState,
): RegionalKey => ({
  status,
  deletionDate: null,
  pendingWindowInDays: null,
  description: event.description,
  tags: tagMap(event.tags),
  policy: event.policy ?? null,
  principalIds: event.principalIds ?? {},
  imported: new Map(),
});

const created = (event: Extract<KeyEvent, { type: 'KeyCreated' }>): ExistingKey => ({
  status: 'exists',
  keyId: event.keyId,
  accountId: event.accountId,
  keyManager: event.keyManager,
  keySpec: event.keySpec,
  keyUsage: event.keyUsage,
  origin: event.origin,
  multiRegion: event.multiRegion ?? false,
  primaryRegion: event.region,
  regions: new Map([[event.region, newRegional(event, event.materialId === null ? 'PendingImport' : 'Enabled')]]),
  materialIds: event.materialId === null ? [] : [event.materialId],
  pendingMaterialId: null,
  // Nobody turns it on or off for a key of AWS's.
  rotation:
    event.keyManager === 'AWS'
      ? { periodInDays: DEFAULT_ROTATION_DAYS, nextDate: daysAfter(event.at, DEFAULT_ROTATION_DAYS) }
      : null,
  onDemandRotations: 0,
});

/** An imported key works in a Region while every material that it has ever encrypted with is there. */
export const isComplete = (key: ExistingKey, { imported }: RegionalKey): boolean =>
  key.origin === 'AWS_KMS' || (key.materialIds.length > 0 && key.materialIds.every((id) => imported.has(id)));

/** The state that a key comes back to. */
const idle = (key: ExistingKey, regional: RegionalKey, status: 'Enabled' | 'Disabled'): KeyState =>
  isComplete(key, regional) ? status : 'PendingImport';

const change = (key: ExistingKey, region: Region, fields: Partial<RegionalKey>): ExistingKey => {
  const present = key.regions.get(region);
  if (present === undefined) return key;
  return { ...key, regions: new Map(key.regions).set(region, { ...present, ...fields }) };
};

const without = (key: ExistingKey, region: Region): KeyHistory => {
  const regions = new Map(key.regions);
  regions.delete(region);
  return regions.size === 0 ? { status: 'deleted' } : { ...key, regions };
};

/** Import and deletion of material carry a key to and from PendingImport, unless it is to be deleted. */
const withMaterial = (key: ExistingKey, region: Region, imported: ReadonlyMap<string, Instant | null>): ExistingKey => {
  const regional = key.regions.get(region);
  if (regional === undefined) return key;
  const changed = { ...regional, imported };
  const complete = isComplete(key, changed);
  const status = !complete && (regional.status === 'Enabled' || regional.status === 'Disabled') ? 'PendingImport'
    : complete && regional.status === 'PendingImport' ? 'Enabled'
    : regional.status; // prettier-ignore
  return change(key, region, { imported, status });
};

const imported = (key: ExistingKey, event: Extract<KeyEvent, { type: 'KeyMaterialImported' }>): ExistingKey => {
  const { region, materialId, validTo } = event;
  const known = key.materialIds.includes(materialId);
  const isFirst = key.materialIds.length === 0;
  const next: ExistingKey = {
    ...key,
    materialIds: isFirst ? [materialId] : key.materialIds,
    pendingMaterialId: known || isFirst ? key.pendingMaterialId : materialId,
  };
  const regional = next.regions.get(region);
  return withMaterial(next, region, new Map(regional?.imported).set(materialId, validTo));
};

const deletedMaterial = (key: ExistingKey, region: Region, materialId: string): ExistingKey => {
  const left = new Map(key.regions.get(region)?.imported);
  left.delete(materialId);
  const next = withMaterial(key, region, left);
  const elsewhere = [...next.regions.values()].some((regional) => regional.imported.has(materialId));
  const isPending = next.pendingMaterialId === materialId && !elsewhere;
  return isPending ? { ...next, pendingMaterialId: null } : next;
};

const rotated = (key: ExistingKey, event: Extract<KeyEvent, { type: 'KeyRotated' }>): ExistingKey => {
  const { materialId, nextRotationDate, rotationType } = event;
  const { rotation } = key;
  return {
    ...key,
    materialIds: [...key.materialIds, materialId],
    pendingMaterialId: key.pendingMaterialId === materialId ? null : key.pendingMaterialId,
    rotation: rotation && nextRotationDate !== null ? { ...rotation, nextDate: nextRotationDate } : rotation,
    onDemandRotations: key.onDemandRotations + (rotationType === 'ON_DEMAND' ? 1 : 0),
  };
};

/** What happens to the key in one of its Regions. */
type RegionalEvent = Exclude<
  KeyEvent,
  { type: 'KeyCreated' | 'KeyRotationEnabled' | 'KeyRotationDisabled' | 'KeyRotated' | 'PrimaryRegionUpdated' }
>;

const evolveRegional = (key: ExistingKey, event: RegionalEvent): KeyHistory => {
  const region = event.region ?? key.primaryRegion;
  const regional = key.regions.get(region);
  if (event.type === 'KeyReplicated') {
    const replica = newRegional(event, key.origin === 'EXTERNAL' ? 'PendingImport' : 'Enabled');
    return { ...key, regions: new Map(key.regions).set(region, replica) };
  }
  if (regional === undefined) return key;
  switch (event.type) {
    case 'KeyDescriptionUpdated':
      return change(key, region, { description: event.description });
    case 'KeyEnabled':
      return change(key, region, { status: 'Enabled' });
    case 'KeyDisabled':
      return change(key, region, { status: 'Disabled' });
    case 'KeyDeletionScheduled':
      return change(key, region, {
        status: 'PendingDeletion',
        deletionDate: event.deletionDate,
        pendingWindowInDays: null,
      });
    case 'KeyDeletionAwaitsReplicas':
      return change(key, region, {
        status: 'PendingReplicaDeletion',
        pendingWindowInDays: event.pendingWindowInDays,
      });
    case 'KeyDeletionCancelled': {
      const status = idle(key, regional, 'Disabled');
      return change(key, region, { status, deletionDate: null, pendingWindowInDays: null });
    }
    case 'KeyDeleted':
      return without(key, region);
    case 'KeyTagged':
      return change(key, region, { tags: new Map([...regional.tags, ...tagMap(event.tags)]) });
    case 'KeyUntagged':
      return change(key, region, {
        tags: new Map([...regional.tags].filter(([name]) => !event.tagKeys.includes(name))),
      });
    case 'KeyPolicyPut':
      return change(key, region, { policy: event.policy, principalIds: event.principalIds ?? {} });
    case 'KeyMaterialImported':
      return imported(key, event);
    case 'KeyMaterialDeleted':
      return deletedMaterial(key, region, event.materialId);
    default:
      return assertNever(event);
  }
};

/** Total: every event is acceptable in every state, since it already happened. */
export const evolve = (state: KeyHistory, event: KeyEvent): KeyHistory => {
  if (event.type === 'KeyCreated') return created(event);
  if (state.status !== 'exists') return state;
  switch (event.type) {
    case 'KeyRotationEnabled':
      return {
        ...state,
        rotation: { periodInDays: event.rotationPeriodInDays, nextDate: event.nextRotationDate },
      };
    case 'KeyRotationDisabled':
      return { ...state, rotation: null };
    case 'KeyRotated':
      return rotated(state, event);
    case 'PrimaryRegionUpdated':
      return { ...state, primaryRegion: event.primaryRegion };
    default:
      return evolveRegional(state, event);
  }
};
