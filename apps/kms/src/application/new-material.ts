import { randomBytes, randomFillSync } from 'node:crypto';
import { generateKeyPair } from '@holdfast/crypto';
import { isPairSpec, KEY_SPECS, type KeySpec } from '../domain/key-specs.ts';
import type { Kms } from './ports.ts';

/** What a key is told of the material that was made for it. */
export interface MadeMaterial {
  readonly materialId: string;
  /** SubjectPublicKeyInfo in base64, of a pair. */
  readonly publicKey: string | null;
}

/** Bytes of their own, and not of Node's shared pool, so that zeroing them is all there is to zero. */
const randomSecret = (sizeBytes: number): Buffer => randomFillSync(Buffer.alloc(sizeBytes));

/**
 * Makes material of a spec and stores it, wrapped. First the material, then the key that names it: a crash between leaves
 * material without a key, which is swept, never the reverse.
 */
export const makeMaterial = async (kms: Kms, keyId: string, spec: KeySpec): Promise<MadeMaterial> => {
  const materialId = randomBytes(32).toString('hex');
  const pair = isPairSpec(spec) ? await generateKeyPair(spec) : null;
  const secret = pair?.privateKey ?? randomSecret(KEY_SPECS[spec].materialBytes ?? 32);
  try {
    await kms.materials.store({ keyId, materialId }, secret);
    return { materialId, publicKey: pair?.publicKey.toString('base64') ?? null };
  } finally {
    secret.fill(0);
  }
};
