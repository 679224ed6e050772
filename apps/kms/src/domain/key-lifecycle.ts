import type { Region } from '@holdfast/contracts';
import { refuse } from './errors.ts';
import type { KeyCommand } from './key.commands.ts';
import type { KeyEvent } from './key.events.ts';
import { arnIn, daysAfter, DEFAULT_ROTATION_DAYS, type ExistingKey, type RegionalKey } from './key.state.ts';
import { KEY_SPECS } from './key-specs.ts';
import { isDying } from './key-state.ts';
import { checkTags } from './tags.ts';

/** On-demand rotations in a key's lifetime. @see KMS developer guide, Resource quotas */
export const MAX_ON_DEMAND_ROTATIONS = 25;
/** RotateKeyOnDemand waits for an automatic rotation that is as near as this. */
const ROTATION_CONFLICT_MS = 20 * 60_000;

type CommandOf<Type extends KeyCommand['type']> = Extract<KeyCommand, { type: Type }>;

/** Only symmetric encryption keys rotate. @throws DomainError OperationUnsupported | OriginUnsupported */
export const requireRotatable = (
  key: Pick<ExistingKey, 'keySpec' | 'origin'>,
  arn: string,
  onDemand: boolean,
): void => {
  const symmetric = KEY_SPECS[key.keySpec].kind === 'symmetric';
  if (key.origin === 'EXTERNAL' && !(symmetric && onDemand)) refuse('OriginUnsupported', { arn, origin: 'EXTERNAL' });
  if (!symmetric) refuse('OperationUnsupported', {});
};

const enableRotation = (command: CommandOf<'EnableKeyRotation'>, key: ExistingKey): readonly KeyEvent[] => {
  const { keyId, rotationPeriodInDays: asked, at } = command;
  const { rotation } = key;
  const rotationPeriodInDays = asked ?? DEFAULT_ROTATION_DAYS;
  if (rotation?.periodInDays === rotationPeriodInDays) return [];
  const nextRotationDate = daysAfter(at, rotationPeriodInDays);
  return [{ type: 'KeyRotationEnabled', keyId, rotationPeriodInDays, nextRotationDate, at }];
};

const rotateOnDemand = (command: CommandOf<'RotateKey'>, key: ExistingKey, arn: string): readonly KeyEvent[] => {
  const { keyId, at } = command;
  const { rotation, pendingMaterialId, origin } = key;
  if (key.onDemandRotations >= MAX_ON_DEMAND_ROTATIONS) return refuse('RotationLimitExceeded', { arn });
  if (origin === 'EXTERNAL') {
    const everywhere =
      pendingMaterialId !== null && [...key.regions.values()].every(({ imported }) => imported.has(pendingMaterialId));
    if (pendingMaterialId === null || !everywhere) return refuse('NoMaterialToRotate', { arn });
  }
  if (rotation !== null && Date.parse(rotation.nextDate) - Date.parse(at) <= ROTATION_CONFLICT_MS) {
    return refuse('RotationInProgress', { arn });
  }
  const materialId = pendingMaterialId ?? command.materialId;
  return [
    {
      type: 'KeyRotated',
      keyId,
      materialId,
      rotationType: 'ON_DEMAND',
      nextRotationDate: rotation?.nextDate ?? null,
      at,
    },
  ];
};

/** Nothing unless the rotation is due and its key in use; a disabled key is rotated when it is enabled again. */
const rotateAutomatically = (
  { keyId, materialId, at }: CommandOf<'RotateKey'>,
  { rotation, regions, primaryRegion }: ExistingKey,
): readonly KeyEvent[] => {
  if (rotation === null || rotation.nextDate > at || regions.get(primaryRegion)?.status !== 'Enabled') return [];
  const nextRotationDate = daysAfter(at, rotation.periodInDays);
  return [{ type: 'KeyRotated', keyId, materialId, rotationType: 'AUTOMATIC', nextRotationDate, at }];
};

export const decideRotation = (
  command: CommandOf<'EnableKeyRotation' | 'DisableKeyRotation' | 'RotateKey'>,
  key: ExistingKey,
): readonly KeyEvent[] => {
  const arn = arnIn(key, command.region);
  if (command.type === 'RotateKey' && command.rotationType === 'AUTOMATIC') return rotateAutomatically(command, key);
  if (command.region !== key.primaryRegion) return refuse('NotPrimaryKey', { arn });
  if (command.type === 'RotateKey') return rotateOnDemand(command, key, arn);
  if (command.type === 'EnableKeyRotation') return enableRotation(command, key);
  return key.rotation === null ? [] : [{ type: 'KeyRotationDisabled', keyId: command.keyId, at: command.at }];
};

/** Which material the bytes are: one that the key knows by this or by an earlier root key's reckoning, or a new one. */
const materialOf = (
  { materialIds, importType, region }: CommandOf<'ImportKeyMaterial'>,
  key: ExistingKey,
): { materialId: string; isNew: boolean } => {
  const known = [...key.materialIds, ...(key.pendingMaterialId === null ? [] : [key.pendingMaterialId])];
  const materialId = materialIds.find((id) => known.includes(id));
  const [fresh] = materialIds;
  if (fresh === undefined) throw new RangeError('material without an id');
  const arn = arnIn(key, region);
  if (materialId !== undefined) return { materialId, isNew: false };
  if (key.materialIds.length === 0 && importType !== 'EXISTING_KEY_MATERIAL') return { materialId: fresh, isNew: true };
  if (importType !== 'NEW_KEY_MATERIAL') return refuse('IncorrectKeyMaterial', {});
  if (region !== key.primaryRegion) return refuse('NotPrimaryKey', { arn });
  if (key.pendingMaterialId !== null) {
    return refuse('MaterialAlreadyPending', { arn, newMaterialId: fresh, pendingMaterialId: key.pendingMaterialId });
  }
  return { materialId: fresh, isNew: true };
};

const importMaterial = (
  command: CommandOf<'ImportKeyMaterial'>,
  key: ExistingKey,
  regional: RegionalKey,
): readonly KeyEvent[] => {
  const { keyId, region, expirationModel, validTo, description, publicKey, at } = command;
  const speaksOfMaterials = command.importType !== null || description !== null;
  if (speaksOfMaterials && KEY_SPECS[key.keySpec].kind !== 'symmetric') return refuse('OperationUnsupported', {});
  const { materialId, isNew } = materialOf(command, key);
  if (isNew && regional.status === 'PendingImport' && key.materialIds.length > 0) {
    return refuse('KeyPendingImport', { arn: arnIn(key, region) });
  }
  const importType = isNew ? 'NEW_KEY_MATERIAL' : 'EXISTING_KEY_MATERIAL';
  const what = { keyId, region, materialId, importType, expirationModel, validTo, description, publicKey } as const;
  return [{ type: 'KeyMaterialImported', ...what, at }];
};

const deleteMaterial = (
  { keyId, region, materialId: asked, at }: CommandOf<'DeleteImportedKeyMaterial'>,
  key: ExistingKey,
  { imported }: RegionalKey,
): readonly KeyEvent[] => {
  const materialId = asked ?? key.materialIds.at(-1);
  if (asked !== null && !key.materialIds.includes(asked) && asked !== key.pendingMaterialId) {
    return refuse('MaterialNotFound', { materialId: asked });
  }
  if (materialId === undefined || !imported.has(materialId)) return [];
  return [{ type: 'KeyMaterialDeleted', keyId, region, materialId, reason: 'REQUESTED', at }];
};

export const decideMaterial = (
  command: CommandOf<'ImportKeyMaterial' | 'DeleteImportedKeyMaterial' | 'ExpireKeyMaterial'>,
  key: ExistingKey,
  regional: RegionalKey,
): readonly KeyEvent[] => {
  const { keyId, region, at } = command;
  if (command.type === 'ImportKeyMaterial') return importMaterial(command, key, regional);
  if (command.type === 'DeleteImportedKeyMaterial') return deleteMaterial(command, key, regional);
  return [...regional.imported]
    .filter(([, validTo]) => validTo !== null && validTo <= at)
    .map(([materialId]) => ({ type: 'KeyMaterialDeleted', keyId, region, materialId, reason: 'EXPIRED', at }));
};

export const decideRegions = (
  command: CommandOf<'ReplicateKey' | 'UpdatePrimaryRegion'>,
  key: ExistingKey,
): readonly KeyEvent[] => {
  const { keyId, region, at } = command;
  const arn = arnIn(key, region);
  if (!key.multiRegion || region !== key.primaryRegion) return refuse('NotPrimaryKey', { arn });
  if (command.type === 'UpdatePrimaryRegion') {
    const { primaryRegion } = command;
    const replica = key.regions.get(primaryRegion);
    if (replica === undefined) return refuse('KeyNotFound', { arn: arnIn(key, primaryRegion) });
    if (primaryRegion === region) return [];
    // A primary goes after its replicas, and this one would go before them.
    if (isDying(replica.status)) return refuse('KeyPendingDeletion', { arn: arnIn(key, primaryRegion) });
    return [{ type: 'PrimaryRegionUpdated', keyId, primaryRegion, at }];
  }
  const { replicaRegion, description, policy, principalIds } = command;
  if (key.regions.has(replicaRegion)) return refuse('ReplicaAlreadyExists', { arn: arnIn(key, replicaRegion) });
  checkTags(command.tags);
  const tags = command.tags.map(({ TagKey, TagValue }) => ({ TagKey, TagValue }));
  return [{ type: 'KeyReplicated', keyId, region: replicaRegion, description, tags, policy, principalIds, at }];
};

const isLastReplica = (key: ExistingKey, region: Region): boolean =>
  key.regions.size === 2 && key.regions.has(region) && region !== key.primaryRegion;

/** Comes from the clock: nothing before the date. With the last replica a primary key's own waiting period begins. */
export const completeDeletion = (
  { keyId, region, at }: CommandOf<'CompleteKeyDeletion'>,
  key: ExistingKey,
  regional: RegionalKey,
): readonly KeyEvent[] => {
  if (regional.status !== 'PendingDeletion' || regional.deletionDate === null || regional.deletionDate > at) return [];
  const deleted: KeyEvent = { type: 'KeyDeleted', keyId, region, at };
  const primary = key.regions.get(key.primaryRegion);
  const waits = isLastReplica(key, region) && primary?.status === 'PendingReplicaDeletion';
  const pendingWindowInDays = primary?.pendingWindowInDays ?? null;
  if (!waits || pendingWindowInDays === null) return [deleted];
  const deletionDate = daysAfter(at, pendingWindowInDays);
  const { primaryRegion } = key;
  return [
    deleted,
    { type: 'KeyDeletionScheduled', keyId, region: primaryRegion, deletionDate, pendingWindowInDays, at },
  ];
};

export const decideDeletion = (
  command: CommandOf<'ScheduleKeyDeletion' | 'CancelKeyDeletion'>,
  key: ExistingKey,
): readonly KeyEvent[] => {
  const { keyId, region, at } = command;
  if (command.type === 'CancelKeyDeletion') return [{ type: 'KeyDeletionCancelled', keyId, region, at }];
  const { pendingWindowInDays } = command;
  if (region === key.primaryRegion && key.regions.size > 1) {
    return [{ type: 'KeyDeletionAwaitsReplicas', keyId, region, pendingWindowInDays, at }];
  }
  const deletionDate = daysAfter(at, pendingWindowInDays);
  return [{ type: 'KeyDeletionScheduled', keyId, region, deletionDate, pendingWindowInDays, at }];
};
