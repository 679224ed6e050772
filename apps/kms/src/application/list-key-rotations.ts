import { z } from 'zod';
import { refuse } from '../domain/errors.ts';
import { KEY_SPECS } from '../domain/key-specs.ts';
import { openKeyFor } from './access.ts';
import { action } from './action.ts';
import { page } from './paging.ts';
import type { KeyRecord, KeyVersion } from './ports.ts';
import { keyId, limit, marker } from './shapes.ts';

const shape = z.strictObject({
  KeyId: keyId,
  IncludeKeyMaterial: z.enum(['ALL_KEY_MATERIAL', 'ROTATIONS_ONLY']).default('ROTATIONS_ONLY'),
  Limit: limit,
  Marker: marker,
});

const importMembers = (version: KeyVersion): Record<string, unknown> => ({
  ImportState: version.isImported ? 'IMPORTED' : 'PENDING_IMPORT',
  ...(version.description === null ? {} : { KeyMaterialDescription: version.description }),
  ...(version.isImported
    ? version.validTo === null
      ? { ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' }
      : { ExpirationModel: 'KEY_MATERIAL_EXPIRES', ValidTo: version.validTo }
    : {}),
});

const stateOf = (key: KeyRecord, version: KeyVersion, isFirst: boolean): string => {
  if (version.materialId === key.materialId) return 'CURRENT';
  return version.rotatedAt === null && !isFirst ? 'PENDING_ROTATION' : 'NON_CURRENT';
};

const entry = (key: KeyRecord, version: KeyVersion, isFirst: boolean): Record<string, unknown> => ({
  KeyId: key.arn,
  KeyMaterialId: version.materialId,
  KeyMaterialState: stateOf(key, version, isFirst),
  ...(key.origin === 'EXTERNAL' ? importMembers(version) : {}),
  ...(version.rotatedAt === null ? {} : { RotationDate: version.rotatedAt, RotationType: version.rotationType }),
});

export const listKeyRotations = action(shape, async (kms, input, context) => {
  const key = await openKeyFor(kms, 'ListKeyRotations', input.KeyId, context);
  if (KEY_SPECS[key.keySpec].kind !== 'symmetric') return refuse('OperationUnsupported', {});
  const rotationsOnly = input.IncludeKeyMaterial === 'ROTATIONS_ONLY';
  const [first] = await kms.keys.versionsOf(key, 0, 1, false);
  const { items, paging } = await page(
    kms,
    context,
    ['ListKeyRotations', key.keyId, input.IncludeKeyMaterial],
    input,
    { byDefault: 100, most: 1000 },
    (after, size) => kms.keys.versionsOf(key, Number(after), size, rotationsOnly),
    (version) => String(version.position),
  );
  return { Rotations: items.map((item) => entry(key, item, item.materialId === first?.materialId)), ...paging };
});
