import { assertNever } from '@holdfast/decider';
import type { InlineProjection, Sql, StoredEvent } from '@holdfast/event-store';
import type { KeyEvent, Tag } from '../domain/key.events.ts';

const setState = (sql: Sql, keyId: string, state: string, deletionAt: string | null): Promise<unknown> =>
  sql.query('UPDATE kms_keys SET state = $2, deletion_at = $3 WHERE key_id = $1', [keyId, state, deletionAt]);

const changeTags = async (sql: Sql, keyId: string, change: (tags: Map<string, string>) => void): Promise<void> => {
  const [row] = await sql.query<{ tags: Tag[] }>('SELECT tags FROM kms_keys WHERE key_id = $1', [keyId]);
  const tags = new Map((row?.tags ?? []).map(({ TagKey, TagValue }) => [TagKey, TagValue]));
  change(tags);
  const list = [...tags].map(([TagKey, TagValue]) => ({ TagKey, TagValue }));
  await sql.query('UPDATE kms_keys SET tags = $2 WHERE key_id = $1', [keyId, JSON.stringify(list)]);
};

const create = (sql: Sql, event: Extract<KeyEvent, { type: 'KeyCreated' }>, position: number): Promise<unknown> =>
  sql.query(
    `INSERT INTO kms_keys (key_id, account_id, region, key_manager, description, state, created_at, material_id, tags, position)
     VALUES ($1, $2, $3, $4, $5, 'Enabled', $6, $7, $8, $9)`,
    [
      event.keyId,
      event.accountId,
      event.region,
      event.keyManager,
      event.description,
      event.at,
      event.materialId,
      JSON.stringify(event.tags),
      position,
    ],
  );

/** Nothing of the key remains but its history: what is under it can never be read again. */
const remove = async (sql: Sql, keyId: string): Promise<void> => {
  await sql.query('DELETE FROM kms_keys WHERE key_id = $1', [keyId]);
  await sql.query('DELETE FROM grants WHERE key_id = $1', [keyId]);
  await sql.query('DELETE FROM key_material WHERE key_id = $1', [keyId]);
};

const project = async ({ data: event, globalPosition }: StoredEvent<KeyEvent>, sql: Sql): Promise<void> => {
  switch (event.type) {
    case 'KeyCreated':
      await create(sql, event, globalPosition);
      return;
    case 'KeyDescriptionUpdated':
      await sql.query('UPDATE kms_keys SET description = $2 WHERE key_id = $1', [event.keyId, event.description]);
      return;
    case 'KeyEnabled':
      await setState(sql, event.keyId, 'Enabled', null);
      return;
    case 'KeyDisabled':
    case 'KeyDeletionCancelled':
      await setState(sql, event.keyId, 'Disabled', null);
      return;
    case 'KeyDeletionScheduled':
      await setState(sql, event.keyId, 'PendingDeletion', event.deletionDate);
      return;
    case 'KeyDeleted':
      return remove(sql, event.keyId);
    case 'KeyTagged':
      return changeTags(sql, event.keyId, (tags) =>
        event.tags.forEach(({ TagKey, TagValue }) => tags.set(TagKey, TagValue)),
      );
    case 'KeyUntagged':
      return changeTags(sql, event.keyId, (tags) => event.tagKeys.forEach((key) => tags.delete(key)));
    default:
      assertNever(event);
  }
};

const TYPES: ReadonlySet<string> = new Set<KeyEvent['type']>([
  'KeyCreated',
  'KeyDescriptionUpdated',
  'KeyEnabled',
  'KeyDisabled',
  'KeyDeletionScheduled',
  'KeyDeletionCancelled',
  'KeyDeleted',
  'KeyTagged',
  'KeyUntagged',
]);

/** Keys as DescribeKey and every use of a key read them; table `kms_keys`. */
export const keyDetails: InlineProjection = {
  name: 'key-details',
  project: async (event, sql) => {
    if (TYPES.has(event.type)) await project(event as StoredEvent<KeyEvent>, sql);
  },
};
