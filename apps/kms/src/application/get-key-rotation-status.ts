import { z } from 'zod';
import { refuse } from '../domain/errors.ts';
import { isDying } from '../domain/key-state.ts';
import { openKeyFor } from './access.ts';
import { action } from './action.ts';
import type { KeyRecord, Kms } from './ports.ts';
import { keyId } from './shapes.ts';

/** A key of AWS's says that it rotates only once it has: so a replay of AWS's answers has it, its guide has it otherwise. */
const isShown = async (kms: Kms, key: KeyRecord): Promise<boolean> =>
  key.keyManager === 'CUSTOMER' || (await kms.keys.versionsOf(key, 0, 1, true)).length > 0;

/** False for keys that cannot rotate, and for those that are to be deleted: their rotation goes on when that is cancelled. */
export const getKeyRotationStatus = action(z.strictObject({ KeyId: keyId }), async (kms, input, context) => {
  const key = await openKeyFor(kms, 'GetKeyRotationStatus', input.KeyId, context);
  if (key.origin === 'EXTERNAL') return refuse('OriginUnsupported', { arn: key.arn, origin: key.origin });
  const { rotation } = key;
  if (rotation === null || isDying(key.state) || !(await isShown(kms, key))) {
    return { KeyId: key.arn, KeyRotationEnabled: false };
  }
  return {
    KeyId: key.arn,
    KeyRotationEnabled: true,
    RotationPeriodInDays: rotation.periodInDays,
    NextRotationDate: rotation.nextDate,
  };
});
