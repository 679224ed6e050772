import { generateMac as macOf, type MacAlgorithm } from '@holdfast/crypto';
import type { RequestContext } from '@holdfast/contracts';
import { z } from 'zod';
import { checkGrantTokens, resolveKey } from './access.ts';
import { action } from './action.ts';
import { currentMaterial, endDryRun, type KeyUse, keyUsed, permitUse } from './key-use.ts';
import type { Kms } from './ports.ts';
import { blobOf, dryRun, grantTokens, keyId, macAlgorithm } from './shapes.ts';

/** GenerateMac's and VerifyMac's common members. */
export const macShape = {
  KeyId: keyId,
  Message: z.string(),
  MacAlgorithm: macAlgorithm,
  GrantTokens: grantTokens,
  DryRun: dryRun,
};

/** Everything up to the MAC itself. */
export const permitMac = async (
  kms: Kms,
  operation: 'GenerateMac' | 'VerifyMac',
  input: z.output<z.ZodObject<typeof macShape>>,
  context: RequestContext,
): Promise<{ use: KeyUse; message: Buffer }> => {
  const message = blobOf('Message', input.Message, 4096);
  checkGrantTokens(kms, input.GrantTokens);
  const key = await resolveKey(kms, input.KeyId, context, { action: operation, aliases: true });
  return { use: await permitUse(kms, key, { operation, algorithm: input.MacAlgorithm }, context), message };
};

export const generateMac = action(z.strictObject(macShape), async (kms, input, context) => {
  const { use, message } = await permitMac(kms, 'GenerateMac', input, context);
  endDryRun(input.DryRun);
  const { key, algorithm } = use;
  const mac = await kms.materials.use(currentMaterial(key), ({ material }) =>
    macOf(algorithm as MacAlgorithm, material, message),
  );
  await kms.uses.record([keyUsed(kms, use, context)], context);
  return { Mac: mac.toString('base64'), MacAlgorithm: algorithm, KeyId: key.arn };
});
