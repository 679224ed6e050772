import { randomBytes, randomUUID } from 'node:crypto';
import type { RequestContext } from '@holdfast/contracts';
import { EBS_ALIAS } from '../domain/names.ts';
import { appendOptions } from './action.ts';
import { aliasId } from './stream-ids.ts';
import type { Kms, KeyRecord } from './ports.ts';

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
  const materialId = randomBytes(32).toString('hex');
  await kms.materials.create({ keyId, materialId });
  const key = { keyId, accountId, region, keyManager: 'AWS', description: DESCRIPTION, tags: [], materialId } as const;
  await kms.keyStreams.handle(keyId, { type: 'CreateKey', ...key, at }, options);
  const record = await kms.keys.find(keyId);
  if (record === null) throw new Error(`key ${keyId} is not found after it was created`);
  if (record.materialId !== materialId) await kms.materials.discard({ keyId, materialId }); // Somebody else was first.
  return record;
};
