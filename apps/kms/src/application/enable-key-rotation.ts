import { z } from 'zod';
import { action } from './action.ts';
import { changeKey } from './key-changes.ts';
import { keyId } from './shapes.ts';

const rotationPeriodInDays = z.number().int().min(90).max(2560).optional();
const shape = z.strictObject({ KeyId: keyId, RotationPeriodInDays: rotationPeriodInDays });

export const enableKeyRotation = action(shape, async (kms, { KeyId, RotationPeriodInDays: period }, context) => {
  const change = { type: 'EnableKeyRotation', rotationPeriodInDays: period ?? null } as const;
  const conditions = { 'kms:RotationPeriodInDays': period };
  await changeKey(kms, KeyId, context, change, { conditions });
  return {};
});
