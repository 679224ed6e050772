import { randomFillSync } from 'node:crypto';
import { z } from 'zod';
import { refuse } from '../domain/errors.ts';
import { requireAccess } from './access.ts';
import { action } from './action.ts';
import { sealAnswer } from './key-use.ts';

const shape = z.strictObject({ NumberOfBytes: z.number().int().min(1).max(1024).optional() });

/** No key is used, so nothing is recorded. */
export const generateRandom = action(shape, async (kms, { NumberOfBytes }, context) => {
  if (NumberOfBytes === undefined) return refuse('Invalid', { message: 'NumberOfBytes is required.' });
  await requireAccess(kms, 'GenerateRandom', null, context);
  const bytes = randomFillSync(Buffer.alloc(NumberOfBytes));
  try {
    return { Plaintext: await sealAnswer(kms, 'GenerateRandom', bytes, context) };
  } finally {
    bytes.fill(0);
  }
});
