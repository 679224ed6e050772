import type { Region } from '@holdfast/contracts';
import { ALGORITHM_LISTS, algorithmsOf, KEY_SPECS } from '../domain/key-specs.ts';
import { keyArnOf } from '../domain/names.ts';
import type { KeyRecord, Kms } from './ports.ts';

const multiRegionConfiguration = (key: KeyRecord, regions: readonly Region[]): Record<string, unknown> => {
  const entry = (region: Region) => ({
    Arn: keyArnOf({ region, accountId: key.accountId }, key.keyId),
    Region: region,
  });
  return {
    MultiRegionConfiguration: {
      MultiRegionKeyType: key.region === key.primaryRegion ? 'PRIMARY' : 'REPLICA',
      PrimaryKey: entry(key.primaryRegion),
      ReplicaKeys: regions.filter((region) => region !== key.primaryRegion).map(entry),
    },
  };
};

const importMembers = ({ validTo }: KeyRecord): Record<string, unknown> =>
  validTo === null
    ? { ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' }
    : { ValidTo: validTo, ExpirationModel: 'KEY_MATERIAL_EXPIRES' };

/** Material that is there: an imported key may be waiting for it. */
const hasMaterial = ({ origin, materialId, state }: KeyRecord): boolean =>
  materialId !== null && (origin === 'AWS_KMS' || state !== 'PendingImport');

/** @param regions of a multi-Region key: where it and its replicas are. */
export const keyMetadata = (key: KeyRecord, regions: readonly Region[]): Record<string, unknown> => ({
  AWSAccountId: key.accountId,
  KeyId: key.keyId,
  Arn: key.arn,
  CreationDate: key.createdAt,
  Enabled: key.state === 'Enabled',
  Description: key.description,
  KeyUsage: key.keyUsage,
  KeyState: key.state,
  ...(key.deletionDate === null ? {} : { DeletionDate: key.deletionDate }),
  ...(key.pendingWindowInDays === null ? {} : { PendingDeletionWindowInDays: key.pendingWindowInDays }),
  Origin: key.origin,
  ...(key.origin === 'EXTERNAL' && hasMaterial(key) ? importMembers(key) : {}),
  KeyManager: key.keyManager,
  CustomerMasterKeySpec: key.keySpec,
  KeySpec: key.keySpec,
  [ALGORITHM_LISTS[key.keyUsage]]: algorithmsOf(key),
  MultiRegion: key.multiRegion,
  ...(key.multiRegion ? multiRegionConfiguration(key, regions) : {}),
  ...(KEY_SPECS[key.keySpec].kind === 'symmetric' && hasMaterial(key) ? { CurrentKeyMaterialId: key.materialId } : {}),
});

/** AWS's KeyMetadata. */
export const describeMetadata = async (kms: Kms, key: KeyRecord): Promise<Record<string, unknown>> =>
  keyMetadata(key, key.multiRegion ? await kms.keys.regionsOf(key.keyId) : []);
