import { action } from './action.ts';
import { dataKeyShape, makeDataKey } from './generate-data-key.ts';

export const generateDataKeyWithoutPlaintext = action(dataKeyShape, async (kms, input, context) =>
  makeDataKey(kms, 'GenerateDataKeyWithoutPlaintext', input, context, () => Promise.resolve({})),
);
