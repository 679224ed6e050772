import { randomUUID } from 'node:crypto';
import type { RequestContext } from '@holdfast/contracts';
import { EBS_ALIAS } from '../domain/names.ts';
import { appendOptions } from './action.ts';
import { makeMaterial } from './new-material.ts';
import type { KeyRecord, Kms } from './ports.ts';
import { aliasId } from './stream-ids.ts';

const DESCRIPTION = 'Default key that protects my EBS volumes when no other key is defined';

/**
 * The AWS managed key of EBS in the caller's account and Region, made on first need. The alias's stream decides which key
 * id it has: of callers that come at once, or after a crash between the two appends, everyone completes the first one's choice.
 */
export const ensureEbsKey = async (kms: Kms, context: RequestContext): Promise<KeyRecord> => {
  const { accountId, region } = context;
  const at = kms.clock.instant();
  const options = appendOptions(kms, context);
  const alias = { aliasName: EBS_ALIAS, accountId, region };
  const streamId = aliasId(alias, EBS_ALIAS);
  await kms.aliasStreams.handle(streamId, { type: 'ReserveAlias', ...alias, targetKeyId: randomUUID(), at }, options);
  const { state } = await kms.aliasStreams.load(streamId);
  const keyId = state.targetKeyId;
  if (keyId === null) throw new Error(`${EBS_ALIAS} of ${accountId} in ${region} has no target after it was reserved`);
  const { materialId, publicKey } = await makeMaterial(kms, keyId, 'SYMMETRIC_DEFAULT');
  const kind = { keySpec: 'SYMMETRIC_DEFAULT', keyUsage: 'ENCRYPT_DECRYPT', origin: 'AWS_KMS' } as const;
  const whose = { keyId, accountId, region, keyManager: 'AWS', multiRegion: false } as const;
  const what = { description: DESCRIPTION, tags: [], materialId, publicKey, policy: null, principalIds: {} };
  await kms.keyStreams.handle(keyId, { type: 'CreateKey', ...whose, ...kind, ...what, at }, options);
  const record = await kms.keys.find(keyId, region);
  if (record === null) throw new Error(`key ${keyId} is not found after it was created`);
  if (record.materialId !== materialId) await kms.materials.discard({ keyId, materialId }); // Somebody else was first.
  return record;
};
