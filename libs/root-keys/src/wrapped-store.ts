import type { Sql } from '@holdfast/event-store';
import { bindingOf, WRAPPED_FORMAT } from './wrapped-blob.ts';

/** A table that keeps keys wrapped by the root key. Names are the program's own and go into SQL as they are. */
export interface WrappedStore {
  readonly table: string;
  /** Columns of its primary key. */
  readonly key: readonly string[];
  /** Names the version that `wrapped` is under, for finding; the blob itself is what counts. */
  readonly versionColumn: string;
}

/** A row's blob opens nowhere but in its row. */
export const bindingInStore = ({ table }: WrappedStore, key: readonly string[]): Buffer => bindingOf(table, ...key);

/** The service's own secrets, see openServiceSecrets. */
export const SERVICE_SECRETS: WrappedStore = {
  table: 'service_secrets',
  key: ['purpose', 'ordinal'],
  versionColumn: 'root_key_id',
};

/** The id of the version that a blob names in its header, which is authenticated with it. */
const versionInBlob = ({ versionColumn }: WrappedStore): string => `
  CASE WHEN octet_length(wrapped) < 3 THEN ${versionColumn}
    WHEN get_byte(wrapped, 0) = ${String(WRAPPED_FORMAT)} THEN encode(substring(wrapped FROM 3 FOR get_byte(wrapped, 1)), 'hex')
    ELSE ${versionColumn} END`;

export interface BlobCount {
  readonly versionId: string;
  readonly blobs: number;
}

/** How many blobs of a store name which version. */
export const countBlobs = async (sql: Sql, store: WrappedStore): Promise<BlobCount[]> => {
  const rows = await sql.query<{ version_id: string; blobs: string }>(
    `SELECT ${versionInBlob(store)} AS version_id, count(*) AS blobs FROM ${store.table} GROUP BY 1 ORDER BY 1`,
  );
  return rows.map(({ version_id: versionId, blobs }) => ({ versionId, blobs: Number(blobs) }));
};

export interface WrappedRow {
  readonly key: readonly string[];
  readonly wrapped: Buffer;
}

/** Rows that are not under a version, after the one with key `after`, locked; those that someone else has locked are left out. */
export const lockStale = async (
  sql: Sql,
  store: WrappedStore,
  { currentId, after, limit }: { currentId: string; after: readonly string[] | null; limit: number },
): Promise<WrappedRow[]> => {
  const columns = store.key.map((column) => `${column}::text COLLATE "C"`).join(', ');
  const parameters = store.key.map((_, i) => `$${String(i + 3)}`).join(', ');
  const rows = await sql.query<{ key: string[]; wrapped: Buffer }>(
    `SELECT ARRAY[${columns}]::text[] AS key, wrapped FROM ${store.table}
     WHERE (${store.versionColumn} <> $1 OR (${versionInBlob(store)}) <> $1)
       ${after === null ? '' : `AND (${columns}) > (${parameters})`}
     ORDER BY ${columns} LIMIT $2 FOR UPDATE SKIP LOCKED`,
    [currentId, limit, ...(after ?? [])],
  );
  return rows;
};

/** Puts another wrapping in the place of a locked row's. */
export const replaceBlob = async (
  sql: Sql,
  store: WrappedStore,
  key: readonly string[],
  { versionId, wrapped }: { versionId: string; wrapped: Buffer },
): Promise<void> => {
  const isIt = store.key.map((column, i) => `${column}::text = $${String(i + 3)}`).join(' AND ');
  await sql.query(`UPDATE ${store.table} SET ${store.versionColumn} = $1, wrapped = $2 WHERE ${isIt}`, [
    versionId,
    wrapped,
    ...key,
  ]);
};
