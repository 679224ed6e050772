import { z } from 'zod';
import { refuse } from '../domain/errors.ts';
import { isDying } from '../domain/key-state.ts';
import { openKeyFor } from './access.ts';
import { action } from './action.ts';
import { keyId } from './shapes.ts';

/** False for keys that cannot rotate, and for those that are to be deleted: their rotation goes on when that is cancelled. */
export const getKeyRotationStatus = action(z.strictObject({ KeyId: keyId }), async (kms, input, context) => {
  const key = await openKeyFor(kms, 'GetKeyRotationStatus', input.KeyId, context);
  if (key.origin === 'EXTERNAL') return refuse('OriginUnsupported', { arn: key.arn, origin: key.origin });
  const { rotation } = key;
  if (rotation === null || isDying(key.state)) return { KeyId: key.arn, KeyRotationEnabled: false };
  return {
    KeyId: key.arn,
    KeyRotationEnabled: true,
    RotationPeriodInDays: rotation.periodInDays,
    NextRotationDate: rotation.nextDate,
  };
});
