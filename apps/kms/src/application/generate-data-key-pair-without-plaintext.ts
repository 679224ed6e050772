import { action } from './action.ts';
import { dataKeyPairShape, makeDataKeyPair } from './generate-data-key-pair.ts';

export const generateDataKeyPairWithoutPlaintext = action(dataKeyPairShape, async (kms, input, context) =>
  makeDataKeyPair(kms, 'GenerateDataKeyPairWithoutPlaintext', input, context, () => Promise.resolve({})),
);
