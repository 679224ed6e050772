import { type MacAlgorithm, verifyMac as isMacOf } from '@holdfast/crypto';
import { z } from 'zod';
import { refuse } from '../domain/errors.ts';
import { action } from './action.ts';
import { macShape, permitMac } from './generate-mac.ts';
import { currentMaterial, endDryRun, keyUsed } from './key-use.ts';
import { blobOf } from './shapes.ts';

export const verifyMac = action(z.strictObject({ ...macShape, Mac: z.string() }), async (kms, input, context) => {
  const mac = blobOf('Mac', input.Mac, 6144);
  const { use, message } = await permitMac(kms, 'VerifyMac', input, context);
  endDryRun(input.DryRun);
  const { key, algorithm } = use;
  const valid = await kms.materials.use(currentMaterial(key), ({ material }) =>
    isMacOf(algorithm as MacAlgorithm, material, message, mac),
  );
  if (!valid) refuse('InvalidMac', {});
  await kms.uses.record([keyUsed(kms, use, context)], context);
  return { KeyId: key.arn, MacValid: true, MacAlgorithm: algorithm };
});
