import { z } from 'zod';
import { apiName } from '../domain/key-specs.ts';
import { openKeyFor } from './access.ts';
import { action } from './action.ts';
import { keyId } from './shapes.ts';

/** The log begins with the key, so tracking does too; AWS's began in April 2026. */
export const getKeyLastUsage = action(z.strictObject({ KeyId: keyId }), async (kms, input, context) => {
  const key = await openKeyFor(kms, 'GetKeyLastUsage', input.KeyId, context);
  const { createdAt, keyId: KeyId } = key;
  const lastUse = await kms.lastUses.of(key);
  const KeyLastUsage =
    lastUse === null
      ? {}
      : {
          Operation: apiName(lastUse.operation),
          Timestamp: lastUse.at,
          CloudTrailEventId: lastUse.eventId,
          KmsRequestId: lastUse.requestId,
        };
  return { KeyId, KeyLastUsage, TrackingStartDate: createdAt, KeyCreationDate: createdAt };
});
