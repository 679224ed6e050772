import type { AccountId, Instant, Region } from '@holdfast/contracts';
import type { KeySpec, KeyUsage } from './key-specs.ts';
import type {
  ExpirationModel,
  ImportType,
  KeyManager,
  KeyOrigin,
  PrincipalIds,
  RotationType,
  Tag,
} from './key.events.ts';

interface Base {
  keyId: string;
  region: Region;
  at: Instant;
}

export interface CreateKeyCommand extends Base {
  type: 'CreateKey';
  accountId: AccountId;
  keyManager: KeyManager;
  keySpec: KeySpec;
  keyUsage: KeyUsage;
  origin: KeyOrigin;
  multiRegion: boolean;
  description: string;
  tags: readonly Tag[];
  materialId: string | null;
  publicKey: string | null;
  policy: string | null;
  principalIds: PrincipalIds;
}

export interface ImportKeyMaterialCommand extends Base {
  type: 'ImportKeyMaterial';
  /** The one that these bytes have, or would have had under an earlier root key. */
  materialIds: readonly string[];
  importType: ImportType | null;
  expirationModel: ExpirationModel;
  validTo: Instant | null;
  description: string | null;
  publicKey: string | null;
}

export type KeyCommand =
  | CreateKeyCommand
  | ({ type: 'UpdateKeyDescription'; description: string } & Base)
  | ({ type: 'EnableKey' } & Base)
  | ({ type: 'DisableKey' } & Base)
  | ({ type: 'CancelKeyDeletion' } & Base)
  | ({ type: 'ScheduleKeyDeletion'; pendingWindowInDays: number } & Base)
  /** Comes from the clock; does nothing before the key's deletion date. */
  | ({ type: 'CompleteKeyDeletion' } & Base)
  | ({ type: 'TagResource'; tags: readonly Tag[] } & Base)
  | ({ type: 'UntagResource'; tagKeys: readonly string[] } & Base)
  | ({ type: 'PutKeyPolicy'; policy: string; principalIds: PrincipalIds } & Base)
  | ({ type: 'EnableKeyRotation'; rotationPeriodInDays: number | null } & Base)
  | ({ type: 'DisableKeyRotation' } & Base)
  /** `materialId`: made here for it; not used when imported material is waiting. AUTOMATIC comes from the clock. */
  | ({ type: 'RotateKey'; rotationType: RotationType; materialId: string } & Base)
  | ImportKeyMaterialCommand
  /** `materialId` null: the key's current one. */
  | ({ type: 'DeleteImportedKeyMaterial'; materialId: string | null } & Base)
  /** Comes from the clock. */
  | ({ type: 'ExpireKeyMaterial' } & Base)
  | ({
      type: 'ReplicateKey';
      replicaRegion: Region;
      description: string;
      tags: readonly Tag[];
      policy: string | null;
      principalIds: PrincipalIds;
    } & Base)
  | ({ type: 'UpdatePrimaryRegion'; primaryRegion: Region } & Base);
