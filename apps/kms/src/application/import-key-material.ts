import { createPrivateKey, type KeyObject } from 'node:crypto';
import {
  type ImportWrapping,
  InvalidCiphertext,
  privateKeyOf,
  publicKeyBytes,
  UnfitKey,
  unwrapImported,
} from '@holdfast/crypto';
import { type Instant, instant } from '@holdfast/contracts';
import { z } from 'zod';
import { refuse } from '../domain/errors.ts';
import { isPairSpec, KEY_SPECS } from '../domain/key-specs.ts';
import { openKeyFor } from './access.ts';
import { action } from './action.ts';
import { applyChange } from './key-changes.ts';
import type { ImportParameters, KeyRecord, Kms } from './ports.ts';
import { blobOf, keyId, timestamp } from './shapes.ts';

const MAX_LIFETIME_MS = 365 * 86_400_000;
const MATERIAL_ID = /^[a-f0-9]+$/;

const shape = z.strictObject({
  KeyId: keyId,
  ImportToken: z.string(),
  EncryptedKeyMaterial: z.string(),
  ValidTo: timestamp.optional(),
  ExpirationModel: z.enum(['KEY_MATERIAL_EXPIRES', 'KEY_MATERIAL_DOES_NOT_EXPIRE']).default('KEY_MATERIAL_EXPIRES'),
  ImportType: z.enum(['NEW_KEY_MATERIAL', 'EXISTING_KEY_MATERIAL']).optional(),
  KeyMaterialDescription: z.string().max(256).optional(),
  KeyMaterialId: z.string().length(64).regex(MATERIAL_ID).optional(),
});
type ImportRequest = z.output<typeof shape>;

/** @throws DomainError Invalid */
const validToOf = (kms: Kms, { ExpirationModel: model, ValidTo }: ImportRequest): Instant | null => {
  if (model === 'KEY_MATERIAL_DOES_NOT_EXPIRE') {
    if (ValidTo === undefined) return null;
    const message = 'A validTo date must not be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE';
    return refuse('Invalid', { message });
  }
  if (ValidTo === undefined) {
    return refuse('Invalid', { message: 'A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES' });
  }
  const now = kms.clock.now().getTime();
  if (ValidTo.getTime() <= now || ValidTo.getTime() > now + MAX_LIFETIME_MS) {
    return refuse('Invalid', { message: 'The validTo date must be in the future and at most 365 days from now.' });
  }
  return instant(ValidTo);
};

/** A material that is named is one that the key has had. @throws DomainError Invalid | OperationUnsupported */
const importTypeOf = (
  { ImportType, KeyMaterialId }: ImportRequest,
  { keySpec }: KeyRecord,
): ImportRequest['ImportType'] | null => {
  if (KeyMaterialId === undefined) return ImportType ?? null;
  if (KEY_SPECS[keySpec].kind !== 'symmetric') return refuse('OperationUnsupported', {});
  if (ImportType !== 'NEW_KEY_MATERIAL') return 'EXISTING_KEY_MATERIAL';
  const message = 'You cannot specify a key material ID with ImportType set to NEW_KEY_MATERIAL.';
  return refuse('Invalid', { message });
};

/** @throws DomainError InvalidImportToken | ExpiredImportToken */
const parametersOf = (kms: Kms, key: KeyRecord, token: Buffer): ImportParameters => {
  const parameters = kms.importTokens.read(token);
  if (parameters.keyArn === key.arn && parameters.validTo > kms.clock.instant()) return parameters;
  parameters.privateKey.fill(0);
  return parameters.keyArn === key.arn ? refuse('ExpiredImportToken', {}) : refuse('InvalidImportToken', {});
};

/** @returns the material, to be zeroed. @throws DomainError InvalidCiphertext */
const unwrap = ({ wrappingAlgorithm, privateKey }: ImportParameters, wrapped: Buffer): Buffer => {
  const key: KeyObject = createPrivateKey({ key: privateKey, format: 'der', type: 'pkcs8' });
  privateKey.fill(0);
  try {
    return unwrapImported(wrappingAlgorithm as ImportWrapping, wrapped, key);
  } catch (error) {
    if (!(error instanceof InvalidCiphertext)) throw error;
    return refuse('InvalidCiphertext', {});
  }
};

/** @returns the public half of a pair. @throws DomainError IncorrectKeyMaterial for bytes that are no such key */
const checkMaterial = ({ keySpec }: KeyRecord, material: Buffer): string | null => {
  if (!isPairSpec(keySpec)) {
    return material.length === KEY_SPECS[keySpec].materialBytes ? null : refuse('IncorrectKeyMaterial', {});
  }
  try {
    return publicKeyBytes(privateKeyOf(keySpec, material)).toString('base64');
  } catch (error) {
    if (!(error instanceof UnfitKey)) throw error;
    return refuse('IncorrectKeyMaterial', {});
  }
};

export const importKeyMaterial = action(shape, async (kms, input, context) => {
  const token = blobOf('ImportToken', input.ImportToken, 6144);
  const wrapped = blobOf('EncryptedKeyMaterial', input.EncryptedKeyMaterial, 6144);
  const validTo = validToOf(kms, input);
  const { ExpirationModel: expirationModel } = input;
  const conditions = {
    'kms:ExpirationModel': expirationModel,
    ...(validTo === null ? {} : { 'kms:ValidTo': validTo }),
  };
  const key = await openKeyFor(kms, 'ImportKeyMaterial', input.KeyId, context, { conditions });
  const importType = importTypeOf(input, key) ?? null;
  const material = unwrap(parametersOf(kms, key, token), wrapped);
  try {
    const publicKey = checkMaterial(key, material);
    const materialIds = kms.materials.identify(key.keyId, material);
    if (input.KeyMaterialId !== undefined && !materialIds.includes(input.KeyMaterialId)) {
      return refuse('IncorrectKeyMaterial', {});
    }
    const description = input.KeyMaterialDescription ?? null;
    const what = { materialIds, importType, expirationModel, validTo, description, publicKey };
    // Stored under each name that it may turn out to have; those that the key does not take are removed again.
    for (const materialId of materialIds) await kms.materials.store({ keyId: key.keyId, materialId }, material);
    const discard = () =>
      Promise.all(materialIds.map((materialId) => kms.materials.discard({ keyId: key.keyId, materialId })));
    const change = applyChange(kms, key, context, { type: 'ImportKeyMaterial', ...what });
    const events = await change.finally(discard);
    const imported = events.find((event) => event.type === 'KeyMaterialImported');
    if (imported === undefined) throw new Error(`material of ${key.arn} was neither imported nor refused`);
    const { materialId } = imported;
    // Again: the same material may have been deleted between the first time and the event.
    await kms.materials.store({ keyId: key.keyId, materialId }, material);
    return { KeyId: key.arn, KeyMaterialId: materialId };
  } finally {
    material.fill(0);
  }
});
