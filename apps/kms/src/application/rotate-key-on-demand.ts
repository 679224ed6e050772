import { z } from 'zod';
import { openKeyFor } from './access.ts';
import { action } from './action.ts';
import { applyChange } from './key-changes.ts';
import { makeMaterial } from './new-material.ts';
import { keyId } from './shapes.ts';

/** Imported material waits for its rotation already; other keys get new material, which is discarded if they refuse it. */
export const rotateKeyOnDemand = action(z.strictObject({ KeyId: keyId }), async (kms, input, context) => {
  const key = await openKeyFor(kms, 'RotateKeyOnDemand', input.KeyId, context);
  if (key.origin === 'EXTERNAL') {
    await applyChange(kms, key, context, { type: 'RotateKey', rotationType: 'ON_DEMAND', materialId: '' });
    return { KeyId: key.arn };
  }
  const { materialId } = await makeMaterial(kms, key.keyId, key.keySpec);
  try {
    await applyChange(kms, key, context, { type: 'RotateKey', rotationType: 'ON_DEMAND', materialId });
    return { KeyId: key.arn };
  } catch (error) {
    await kms.materials.discard({ keyId: key.keyId, materialId });
    throw error;
  }
});
