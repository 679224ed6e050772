import { assertNever, type Decider } from '@holdfast/decider';
import { refuse } from './errors.ts';
import {
  completeDeletion,
  decideDeletion,
  decideMaterial,
  decideRegions,
  decideRotation,
  requireRotatable,
} from './key-lifecycle.ts';
import { type KeyOperation, requireState } from './key-state.ts';
import type { CreateKeyCommand, KeyCommand } from './key.commands.ts';
import type { KeyEvent, PrincipalIds } from './key.events.ts';
import { arnIn, evolve, type ExistingKey, type KeyHistory, type RegionalKey } from './key.state.ts';
import { checkTags } from './tags.ts';

export type { KeyCommand } from './key.commands.ts';

const create = (command: CreateKeyCommand, state: KeyHistory): readonly KeyEvent[] => {
  const { keyId, accountId, region, keyManager, keySpec, keyUsage, origin, multiRegion, description } = command;
  const { materialId, publicKey, policy, principalIds, at } = command;
  if (state.status !== 'absent') return keyManager === 'AWS' ? [] : refuse('KeyAlreadyExists', { keyId });
  checkTags(command.tags);
  const tags = command.tags.map(({ TagKey, TagValue }) => ({ TagKey, TagValue }));
  const kind = { keySpec, keyUsage, origin, multiRegion };
  const whose = { keyId, accountId, region, keyManager };
  const protection = { policy, principalIds };
  return [{ type: 'KeyCreated', ...whose, ...kind, description, tags, materialId, publicKey, ...protection, at }];
};

/** The API's name of the operation, where the command has another. */
const operationOf = (command: Exclude<KeyCommand, CreateKeyCommand>): KeyOperation | null => {
  switch (command.type) {
    case 'CompleteKeyDeletion':
    case 'ExpireKeyMaterial':
      return null;
    case 'RotateKey':
      return command.rotationType === 'ON_DEMAND' ? 'RotateKeyOnDemand' : null;
    default:
      return command.type;
  }
};

/**
 * Whether a key of this kind does that at all, asked before its state.
 * @throws DomainError OperationUnsupported | OriginUnsupported
 */
export const requireEligible = (
  operation: KeyOperation,
  key: Pick<ExistingKey, 'keySpec' | 'origin'>,
  arn: string,
): void => {
  switch (operation) {
    case 'EnableKeyRotation':
    case 'DisableKeyRotation':
      return requireRotatable(key, arn, false);
    case 'RotateKeyOnDemand':
      return requireRotatable(key, arn, true);
    case 'GetParametersForImport':
    case 'ImportKeyMaterial':
    case 'DeleteImportedKeyMaterial':
      if (key.origin !== 'EXTERNAL') refuse('OriginUnsupported', { arn, origin: key.origin });
      return;
    default:
  }
};

const decideTags = (
  command: Extract<KeyCommand, { type: 'TagResource' | 'UntagResource' }>,
  present: ReadonlyMap<string, string>,
): readonly KeyEvent[] => {
  const { keyId, region, at } = command;
  if (command.type === 'TagResource') {
    checkTags(command.tags, present);
    const tags = command.tags.filter(({ TagKey, TagValue }) => present.get(TagKey) !== TagValue);
    return tags.length === 0 ? [] : [{ type: 'KeyTagged', keyId, region, tags, at }];
  }
  const tagKeys = command.tagKeys.filter((name) => present.has(name));
  return tagKeys.length === 0 ? [] : [{ type: 'KeyUntagged', keyId, region, tagKeys, at }];
};

const sameIds = (a: PrincipalIds, b: PrincipalIds): boolean =>
  Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([arn, id]) => b[arn] === id);

const decideExisting = (
  command: Exclude<KeyCommand, CreateKeyCommand>,
  key: ExistingKey,
  regional: RegionalKey,
): readonly KeyEvent[] => {
  const { keyId, region, at } = command;
  switch (command.type) {
    case 'UpdateKeyDescription': {
      const { description } = command;
      return description === regional.description ? [] : [{ type: 'KeyDescriptionUpdated', keyId, region, description, at }]; // prettier-ignore
    }
    case 'EnableKey':
      return regional.status === 'Enabled' ? [] : [{ type: 'KeyEnabled', keyId, region, at }];
    case 'DisableKey':
      return regional.status === 'Disabled' ? [] : [{ type: 'KeyDisabled', keyId, region, at }];
    case 'ScheduleKeyDeletion':
    case 'CancelKeyDeletion':
      return decideDeletion(command, key);
    case 'CompleteKeyDeletion':
      return completeDeletion(command, key, regional);
    case 'TagResource':
    case 'UntagResource':
      return decideTags(command, regional.tags);
    case 'PutKeyPolicy': {
      const { policy, principalIds } = command;
      // The same text may mean others than it did: users and roles that have got their names since.
      const isSame = policy === regional.policy && sameIds(principalIds, regional.principalIds);
      return isSame ? [] : [{ type: 'KeyPolicyPut', keyId, region, policy, principalIds, at }];
    }
    case 'EnableKeyRotation':
    case 'DisableKeyRotation':
    case 'RotateKey':
      return decideRotation(command, key);
    case 'ImportKeyMaterial':
    case 'DeleteImportedKeyMaterial':
    case 'ExpireKeyMaterial':
      return decideMaterial(command, key, regional);
    case 'ReplicateKey':
    case 'UpdatePrimaryRegion':
      return decideRegions(command, key);
    default:
      return assertNever(command);
  }
};

const decide = (command: KeyCommand, state: KeyHistory): readonly KeyEvent[] => {
  if (command.type === 'CreateKey') return create(command, state);
  const regional = state.status === 'exists' ? state.regions.get(command.region) : undefined;
  const operation = operationOf(command);
  if (state.status !== 'exists' || regional === undefined) {
    return operation === null ? [] : refuse('KeyNotFound', { arn: command.keyId });
  }
  if (operation !== null) {
    const arn = arnIn(state, command.region);
    requireEligible(operation, state, arn);
    requireState(operation, regional.status, arn);
  }
  return decideExisting(command, state, regional);
};

export const keyDecider: Decider<KeyCommand, KeyEvent, KeyHistory> = {
  initialState: { status: 'absent' },
  evolve,
  decide,
};
