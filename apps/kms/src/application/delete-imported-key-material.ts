import { z } from 'zod';
import { action } from './action.ts';
import { changeKey } from './key-changes.ts';
import { keyId } from './shapes.ts';

const materialId = z
  .string()
  .length(64)
  .regex(/^[a-f0-9]+$/)
  .optional();
const shape = z.strictObject({ KeyId: keyId, KeyMaterialId: materialId });

/** Deleting what is not there is nothing new, and no error. */
export const deleteImportedKeyMaterial = action(shape, async (kms, input, context) => {
  const change = { type: 'DeleteImportedKeyMaterial', materialId: input.KeyMaterialId ?? null } as const;
  const { key, events } = await changeKey(kms, input.KeyId, context, change);
  kms.materials.forget(key.keyId);
  const deleted = events.find((event) => event.type === 'KeyMaterialDeleted')?.materialId ?? change.materialId;
  const KeyMaterialId = deleted ?? key.materialId;
  return { KeyId: key.arn, ...(KeyMaterialId === null ? {} : { KeyMaterialId }) };
});
