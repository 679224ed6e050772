import type { Region } from '@holdfast/contracts';
import { fold } from '@holdfast/decider';
import type { InlineProjection, Sql, StoredEvent } from '@holdfast/event-store';
import { keyDecider } from '../domain/key.decider.ts';
import type { KeyEvent } from '../domain/key.events.ts';
import type { ExistingKey, KeyHistory, RegionalKey } from '../domain/key.state.ts';
import { keyStream } from '../domain/names.ts';

/** The key as decisions see it: read model and decider can't disagree, since they are one fold. */
const historyOf = async (keyId: string, sql: Sql): Promise<KeyHistory> => {
  const rows = await sql.query<{ data: KeyEvent }>('SELECT data FROM events WHERE stream_id = $1 ORDER BY version', [
    keyStream(keyId),
  ]);
  return fold(
    keyDecider,
    rows.map(({ data }) => data),
    keyDecider.initialState,
  );
};

const UPSERT = `
  INSERT INTO kms_keys (key_id, region, account_id, key_manager, key_spec, key_usage, origin, multi_region, primary_region,
    description, state, created_at, deletion_at, pending_window_days, material_id, tags, position, policy,
    rotation_period_days, next_rotation_at, valid_to, principal_ids)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
  ON CONFLICT (key_id, region) DO UPDATE SET primary_region = $9, description = $10, state = $11, deletion_at = $13,
    pending_window_days = $14, material_id = $15, tags = $16, policy = $18, rotation_period_days = $19,
    next_rotation_at = $20, valid_to = $21, principal_ids = $22`;

/** A new row is as old as the event that made it: the key's, or its replica's. */
const writeRegion = (
  sql: Sql,
  key: ExistingKey,
  region: Region,
  regional: RegionalKey,
  { data: { at }, globalPosition }: StoredEvent<KeyEvent>,
): Promise<unknown> => {
  const materialId = key.materialIds.at(-1) ?? null;
  const tags = [...regional.tags].map(([TagKey, TagValue]) => ({ TagKey, TagValue }));
  return sql.query(UPSERT, [
    key.keyId,
    region,
    key.accountId,
    key.keyManager,
    key.keySpec,
    key.keyUsage,
    key.origin,
    key.multiRegion,
    key.primaryRegion,
    regional.description,
    regional.status,
    at,
    regional.deletionDate,
    regional.pendingWindowInDays,
    materialId,
    JSON.stringify(tags),
    globalPosition,
    regional.policy,
    key.rotation?.periodInDays ?? null,
    key.rotation?.nextDate ?? null,
    materialId === null ? null : (regional.imported.get(materialId) ?? null),
    JSON.stringify(regional.principalIds),
  ]);
};

const writeImported = async (sql: Sql, keyId: string, key: ExistingKey): Promise<void> => {
  await sql.query('DELETE FROM imported_materials WHERE key_id = $1', [keyId]);
  for (const [region, { imported }] of key.regions) {
    for (const [materialId, validTo] of imported) {
      await sql.query(
        'INSERT INTO imported_materials (key_id, region, material_id, valid_to) VALUES ($1, $2, $3, $4)',
        [keyId, region, materialId, validTo],
      );
    }
  }
};

const VERSION = `
  INSERT INTO key_versions (key_id, material_id, position, rotated_at, rotation_type, description)
  VALUES ($1, $2, $3, $4, $5, $6)
  ON CONFLICT (key_id, material_id) DO UPDATE SET
    position = CASE WHEN $5::text IS NULL THEN key_versions.position ELSE $3 END,
    rotated_at = coalesce($4, key_versions.rotated_at), rotation_type = coalesce($5, key_versions.rotation_type),
    description = coalesce($6, key_versions.description)`;

const writeVersion = async (sql: Sql, { data: event, globalPosition }: StoredEvent<KeyEvent>): Promise<void> => {
  if (event.type === 'KeyCreated' && event.materialId !== null) {
    await sql.query(VERSION, [event.keyId, event.materialId, globalPosition, null, null, null]);
  }
  if (event.type === 'KeyRotated') {
    const { keyId, materialId, at, rotationType } = event;
    await sql.query(VERSION, [keyId, materialId, globalPosition, at, rotationType, null]);
  }
  if (event.type === 'KeyMaterialImported') {
    await sql.query(VERSION, [event.keyId, event.materialId, globalPosition, null, null, event.description]);
  }
};

const writePublicKey = async (sql: Sql, event: KeyEvent): Promise<void> => {
  const isImport = event.type === 'KeyMaterialImported';
  const publicKey = event.type === 'KeyCreated' || isImport ? (event.publicKey ?? null) : null;
  if (publicKey !== null) {
    const bytes = Buffer.from(publicKey, 'base64');
    await sql.query('UPDATE kms_keys SET public_key = $2 WHERE key_id = $1', [event.keyId, bytes]);
  }
  if (event.type === 'KeyReplicated') {
    await sql.query(
      `UPDATE kms_keys SET public_key = (SELECT public_key FROM kms_keys WHERE key_id = $1 AND public_key IS NOT NULL
         LIMIT 1) WHERE key_id = $1 AND region = $2`,
      [event.keyId, event.region],
    );
  }
};

/** Wrapped bytes go with the event that says so: what is under them can never be read again. */
const shred = async (sql: Sql, event: KeyEvent, key: ExistingKey): Promise<void> => {
  if (key.origin !== 'EXTERNAL') return;
  const left = [...key.regions.values()].flatMap(({ imported }) => [...imported.keys()]);
  if (event.type === 'KeyMaterialDeleted' && !left.includes(event.materialId)) {
    await sql.query('DELETE FROM key_material WHERE key_id = $1 AND material_id = $2', [event.keyId, event.materialId]);
  }
  if (event.type === 'KeyDeleted') {
    await sql.query(
      `DELETE FROM key_material m WHERE key_id = $1 AND material_id <> ALL ($2)
         AND EXISTS (SELECT FROM key_versions v WHERE v.key_id = m.key_id AND v.material_id = m.material_id)`,
      [event.keyId, left],
    );
  }
};

const removeRegion = async (sql: Sql, keyId: string, region: string): Promise<void> => {
  await sql.query('DELETE FROM kms_keys WHERE key_id = $1 AND region = $2', [keyId, region]);
  await sql.query('DELETE FROM grants WHERE key_id = $1 AND region = $2', [keyId, region]);
  await sql.query('DELETE FROM key_last_uses WHERE key_id = $1 AND region = $2', [keyId, region]);
};

/** Nothing of the key remains but its history. */
const removeAll = async (sql: Sql, keyId: string): Promise<void> => {
  for (const table of ['kms_keys', 'grants', 'key_material', 'key_versions', 'imported_materials', 'key_last_uses']) {
    await sql.query(`DELETE FROM ${table} WHERE key_id = $1`, [keyId]);
  }
};

const project = async (stored: StoredEvent<KeyEvent>, sql: Sql): Promise<void> => {
  const { data: event } = stored;
  const { keyId } = event;
  const key = await historyOf(keyId, sql);
  if (key.status !== 'exists') return removeAll(sql, keyId);
  for (const [region, regional] of key.regions) await writeRegion(sql, key, region, regional, stored);
  await writeVersion(sql, stored);
  await writePublicKey(sql, event);
  if (key.origin === 'EXTERNAL') await writeImported(sql, keyId, key);
  if (event.type === 'KeyDeleted') await removeRegion(sql, keyId, event.region ?? key.primaryRegion);
  await shred(sql, event, key);
};

const TYPES: Readonly<Record<KeyEvent['type'], true>> = {
  KeyCreated: true,
  KeyDescriptionUpdated: true,
  KeyEnabled: true,
  KeyDisabled: true,
  KeyDeletionScheduled: true,
  KeyDeletionAwaitsReplicas: true,
  KeyDeletionCancelled: true,
  KeyDeleted: true,
  KeyTagged: true,
  KeyUntagged: true,
  KeyPolicyPut: true,
  KeyRotationEnabled: true,
  KeyRotationDisabled: true,
  KeyRotated: true,
  KeyMaterialImported: true,
  KeyMaterialDeleted: true,
  KeyReplicated: true,
  PrimaryRegionUpdated: true,
};

/** Keys as DescribeKey and every use of a key read them; tables `kms_keys`, `key_versions`, `imported_materials`. */
export const keyDetails: InlineProjection = {
  name: 'key-details',
  project: async (event, sql) => {
    if (Object.hasOwn(TYPES, event.type)) await project(event as StoredEvent<KeyEvent>, sql);
  },
};
