import { z } from 'zod';
import { action } from './action.ts';

/** Internal: what Encrypt's plaintext is sealed to. */
export const getTransportKey = action(z.strictObject({}), (kms) =>
  Promise.resolve({ publicKey: kms.transport.publicKeyBase64 }),
);
