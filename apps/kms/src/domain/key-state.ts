import { refuse } from './errors.ts';

/** Unavailable is a state of custom key stores, Creating and Updating pass at once here: no key is ever seen in them. */
export const KEY_STATES = [
  'Enabled',
  'Disabled',
  'PendingDeletion',
  'PendingReplicaDeletion',
  'PendingImport',
  'Unavailable',
  'Creating',
  'Updating',
] as const;
export type KeyState = (typeof KEY_STATES)[number];

/** How a state refuses an operation. */
export type StateRefusal =
  | 'KeyDisabled'
  | 'KeyPendingDeletion'
  | 'KeyNotPendingDeletion'
  | 'KeyPendingImport'
  | 'KeyUnavailable'
  | 'KeyCreating'
  | 'KeyUpdating';
type Cell = 'ok' | StateRefusal;

// Names for the cells below.
const ok = 'ok';
const dis = 'KeyDisabled';
const del = 'KeyPendingDeletion';
const not = 'KeyNotPendingDeletion';
const imp = 'KeyPendingImport';
const una = 'KeyUnavailable';
const cre = 'KeyCreating';
const upd = 'KeyUpdating';

/** Enabled, Disabled, PendingDeletion and PendingReplicaDeletion, PendingImport, Unavailable, Creating, Updating. */
type Row = readonly [en: Cell, dis: Cell, pd: Cell, pi: Cell, un: Cell, cr: Cell, up: Cell];

const USE: Row = [ok, dis, del, imp, una, cre, ok];
const ALWAYS: Row = [ok, ok, ok, ok, ok, ok, ok];
const UNLESS_DYING: Row = [ok, ok, del, ok, ok, ok, ok];

/**
 * Operation × state. What depends on the kind of key (rotation of pairs, import into keys with own material) is decided
 * before its state. @see KMS developer guide, Key states of AWS KMS keys
 */
export const OPERATION_STATES = {
  Encrypt: USE,
  Decrypt: USE,
  ReEncryptFrom: USE,
  ReEncryptTo: USE,
  GenerateDataKey: USE,
  GenerateDataKeyWithoutPlaintext: USE,
  GenerateDataKeyPair: USE,
  GenerateDataKeyPairWithoutPlaintext: USE,
  Sign: USE,
  Verify: USE,
  GenerateMac: USE,
  VerifyMac: USE,
  DeriveSharedSecret: USE,
  CreateGrant: [ok, dis, del, imp, ok, cre, ok],
  /** The guide says that a disabled key's is refused; recordings show that it is answered. */
  GetPublicKey: [ok, ok, del, imp, una, cre, ok],
  DescribeKey: ALWAYS,
  GetKeyPolicy: ALWAYS,
  PutKeyPolicy: ALWAYS,
  ListKeyPolicies: ALWAYS,
  ListGrants: ALWAYS,
  ListAliases: ALWAYS,
  ListResourceTags: ALWAYS,
  RetireGrant: ALWAYS,
  RevokeGrant: ALWAYS,
  DeleteAlias: ALWAYS,
  CreateAlias: UNLESS_DYING,
  /** Of the new target; the former one may be in any state. */
  UpdateAlias: UNLESS_DYING,
  TagResource: UNLESS_DYING,
  UntagResource: UNLESS_DYING,
  UpdateKeyDescription: UNLESS_DYING,
  EnableKey: [ok, ok, del, imp, ok, cre, upd],
  DisableKey: [ok, ok, del, imp, ok, cre, upd],
  ScheduleKeyDeletion: [ok, ok, del, ok, ok, ok, upd],
  CancelKeyDeletion: [not, not, ok, not, not, not, not],
  EnableKeyRotation: [ok, dis, del, imp, ok, cre, ok],
  DisableKeyRotation: [ok, dis, del, imp, ok, cre, ok],
  GetKeyLastUsage: ALWAYS,
  GetKeyRotationStatus: ALWAYS,
  RotateKeyOnDemand: [ok, dis, del, imp, ok, cre, upd],
  ListKeyRotations: ALWAYS,
  GetParametersForImport: [ok, ok, del, ok, ok, cre, upd],
  ImportKeyMaterial: [ok, ok, del, ok, ok, cre, ok],
  DeleteImportedKeyMaterial: [ok, ok, ok, ok, ok, cre, upd],
  ReplicateKey: [ok, dis, del, imp, una, cre, upd],
  UpdatePrimaryRegion: [ok, dis, del, imp, una, cre, ok],
} as const satisfies Record<string, Row>;
export type KeyOperation = keyof typeof OPERATION_STATES;

const COLUMNS: Readonly<Record<KeyState, number>> = {
  Enabled: 0,
  Disabled: 1,
  PendingDeletion: 2,
  PendingReplicaDeletion: 2,
  PendingImport: 3,
  Unavailable: 4,
  Creating: 5,
  Updating: 6,
};

export const isDying = (state: KeyState): boolean => state === 'PendingDeletion' || state === 'PendingReplicaDeletion';

/** @throws DomainError when a key in this state does not do that. */
export const requireState = (operation: KeyOperation, state: KeyState, arn: string): void => {
  const cell: Cell | undefined = OPERATION_STATES[operation][COLUMNS[state]];
  if (cell === undefined) throw new RangeError(`no cell for ${operation} in ${state}`);
  if (cell !== 'ok') refuse(cell, { arn });
};
