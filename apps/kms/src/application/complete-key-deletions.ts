import { randomUUID } from 'node:crypto';
import type { AccountId, Caller } from '@holdfast/contracts';
import type { KeyRecord, Kms } from './ports.ts';
import { aliasId } from './stream-ids.ts';

/** Keys deleted in one go; the rest is done in the next. */
const BATCH = 100;
const SERVICE = 'kms.amazonaws.com';

const ownCaller = ({ accountId, region }: KeyRecord): Caller => ({
  requestId: randomUUID(),
  accountId: accountId as AccountId,
  region,
  principal: { type: 'AWSService', arn: SERVICE, accountId, principalId: SERVICE },
  sourceIp: SERVICE,
  userAgent: SERVICE,
});

/**
 * Deletes the keys whose waiting period is over: first their aliases, whose names become free, then the key with its
 * grants and material. Repeats safely; nothing happens to a key whose deletion was cancelled meanwhile.
 * @returns how many were due.
 */
export const completeKeyDeletions = async (kms: Kms): Promise<number> => {
  const at = kms.clock.instant();
  const due = await kms.keys.due(at, BATCH);
  for (const key of due) {
    const options = { metadata: { caller: ownCaller(key) }, time: at };
    for (const { aliasName, accountId, region } of await kms.aliases.ofKey(key.keyId)) {
      const command = { type: 'DeleteAlias', aliasName, accountId, region, ofKeyId: key.keyId, at } as const;
      await kms.aliasStreams.handle(aliasId(key, aliasName), command, options);
    }
    await kms.keyStreams.handle(key.keyId, { type: 'CompleteKeyDeletion', keyId: key.keyId, at }, options);
    kms.materials.forget(key.keyId);
  }
  return due.length;
};
