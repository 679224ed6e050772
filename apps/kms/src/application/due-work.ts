import { randomUUID } from 'node:crypto';
import type { Instant, RequestContext } from '@holdfast/contracts';
import { appendOptions } from './action.ts';
import { applyChange } from './key-changes.ts';
import { makeMaterial } from './new-material.ts';
import type { KeyRecord, Kms } from './ports.ts';
import { aliasId } from './stream-ids.ts';

/** Keys of each kind of work done in one go; the rest is done in the next. */
const BATCH = 100;
const SERVICE = 'kms.amazonaws.com';

/** On nobody's request: as the service itself, in the key's account and Region. */
const ownContext = ({ accountId, region }: KeyRecord): RequestContext => ({
  requestId: randomUUID(),
  accountId,
  region,
  principal: { type: 'AWSService', arn: SERVICE, accountId, principalId: SERVICE },
  sourceIp: SERVICE,
  userAgent: SERVICE,
  deadlineMs: Number.MAX_SAFE_INTEGER,
});

/**
 * Deletes the keys whose waiting period is over: first their aliases, whose names become free, then the key with its
 * grants and material. Nothing happens to a key whose deletion was cancelled meanwhile.
 */
const completeDeletion = async (kms: Kms, key: KeyRecord, at: Instant): Promise<void> => {
  const context = ownContext(key);
  for (const { aliasName, accountId, region } of await kms.aliases.ofKey(key)) {
    const command = { type: 'DeleteAlias', aliasName, accountId, region, ofKeyId: key.keyId, at } as const;
    await kms.aliasStreams.handle(aliasId(key, aliasName), command, appendOptions(kms, context));
  }
  await applyChange(kms, key, context, { type: 'CompleteKeyDeletion' });
  kms.materials.forget(key.keyId);
};

/** One rotation, however long overdue; of replicas of this service that try at once, one is let through. */
const rotate = async (kms: Kms, key: KeyRecord): Promise<void> => {
  const { materialId } = await makeMaterial(kms, key.keyId, key.keySpec);
  let rotated = false;
  try {
    const change = { type: 'RotateKey', rotationType: 'AUTOMATIC', materialId } as const;
    rotated = (await applyChange(kms, key, ownContext(key), change)).length > 0;
  } finally {
    if (!rotated) await kms.materials.discard({ keyId: key.keyId, materialId });
  }
};

const expire = async (kms: Kms, key: KeyRecord): Promise<void> => {
  await applyChange(kms, key, ownContext(key), { type: 'ExpireKeyMaterial' });
  kms.materials.forget(key.keyId);
};

/**
 * Does what the clock asks for: deletions, rotations and expiries that are due, those that came due while nothing ran among
 * them. Repeats safely, since each key's history decides again.
 * @param onError one key's failure keeps no other waiting; it is tried again with the next call.
 * @returns how many keys something was due for.
 */
export const doDueWork = async (kms: Kms, onError: (error: unknown, keyArn: string) => void): Promise<number> => {
  const at = kms.clock.instant();
  const work = [
    { due: await kms.keys.dueForExpiry(at, BATCH), run: (key: KeyRecord) => expire(kms, key) },
    { due: await kms.keys.dueForDeletion(at, BATCH), run: (key: KeyRecord) => completeDeletion(kms, key, at) },
    { due: await kms.keys.dueForRotation(at, BATCH), run: (key: KeyRecord) => rotate(kms, key) },
  ];
  for (const { due, run } of work) {
    for (const key of due) await run(key).catch((error: unknown) => onError(error, key.arn));
  }
  return work.reduce((sum, { due }) => sum + due.length, 0);
};
