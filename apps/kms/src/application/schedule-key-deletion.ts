import { z } from 'zod';
import { action } from './action.ts';
import { changeKey } from './key-changes.ts';
import { keyId } from './shapes.ts';

/** AWS's model says 1 to 365; the service takes 7 to 30. */
const pendingWindowInDays = z.number().int().min(7).max(30).default(30);
const shape = z.strictObject({ KeyId: keyId, PendingWindowInDays: pendingWindowInDays });

export const scheduleKeyDeletion = action(shape, async (kms, input, context) => {
  const { PendingWindowInDays } = input;
  const change = { type: 'ScheduleKeyDeletion', pendingWindowInDays: PendingWindowInDays } as const;
  const conditions = { 'kms:ScheduleKeyDeletionPendingWindowInDays': PendingWindowInDays };
  const { key, events } = await changeKey(kms, input.KeyId, context, change, { conditions });
  const scheduled = events.find((event) => event.type === 'KeyDeletionScheduled');
  if (scheduled === undefined) return { KeyId: key.arn, KeyState: 'PendingReplicaDeletion', PendingWindowInDays };
  const { deletionDate: DeletionDate } = scheduled;
  return { KeyId: key.arn, DeletionDate, KeyState: 'PendingDeletion', PendingWindowInDays };
});
