import type { Sql } from '@holdfast/event-store';
import { recordedVersions, type RootKeys, type VersionState } from './root-keys.ts';
import { RootKeyError } from './types.ts';

export interface VersionStatus {
  readonly versionId: string;
  /** `unused`: the provider has it, and nothing was ever wrapped under it; `unknown`: blobs name it, and nobody else. */
  readonly state: VersionState | 'unused' | 'unknown';
  /** Null: the provider has it no more. */
  readonly location: string | null;
  /** How many blobs of each store name it. */
  readonly blobs: Readonly<Record<string, number>>;
}

export interface RootKeyStatus {
  readonly service: string;
  readonly provider: string;
  readonly origin: string;
  readonly currentVersion: string;
  readonly versions: readonly VersionStatus[];
  /** Blobs under another version than the current one, which are to be wrapped anew: 0 when a rotation has ended. */
  readonly blobsUnderOthers: number;
}

const ORDER: readonly VersionStatus['state'][] = ['current', 'former', 'unknown', 'unused', 'retired'];

/** Counts what the blobs themselves say, which is authenticated with them, and not what the table says beside them. */
export const rootKeyStatus = async (
  rootKeys: RootKeys,
  sql: Sql = rootKeys.options.database,
): Promise<RootKeyStatus> => {
  await rootKeys.refresh(sql);
  const [recorded, counts] = [await recordedVersions(sql), await rootKeys.count(sql)];
  const locations = new Map(
    (await rootKeys.provider.versions()).map(({ versionId, location }) => [versionId, location]),
  );
  const ids = new Set([...recorded.keys(), ...locations.keys(), ...counts.keys()]);
  const versions = [...ids].map((versionId): VersionStatus => {
    const location = locations.get(versionId) ?? null;
    const state = recorded.get(versionId) ?? (location === null ? 'unknown' : 'unused');
    return { versionId, state, location, blobs: Object.fromEntries(counts.get(versionId) ?? []) };
  });
  versions.sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state));
  const tables = rootKeys.stores.map(({ table }) => table);
  const others = versions.filter(({ versionId }) => versionId !== rootKeys.currentVersion);
  return {
    service: rootKeys.service,
    provider: rootKeys.provider.kind,
    origin: rootKeys.provider.origin,
    currentVersion: rootKeys.currentVersion,
    versions,
    blobsUnderOthers: others.reduce((sum, version) => sum + blobsOf(version, tables), 0),
  };
};

const blobsOf = ({ blobs }: VersionStatus, stores = Object.keys(blobs)): number =>
  stores.reduce((sum, store) => sum + (blobs[store] ?? 0), 0);

export interface Rotation {
  /** `continues`: an earlier rotation has not ended, and goes on; nothing new was begun. */
  readonly outcome: 'begun' | 'continues';
  readonly versionId: string;
}

/** Names the processes of the service that cannot find a version, each asked now. */
export type AskReplicas = (versionId: string) => Promise<readonly string[]>;

/**
 * Makes another version current. All that is stored from then on is under it; what is under others is wrapped anew in the
 * background (Rewrapper). After a crash at any point another call goes on from there: a version that was made and never used
 * is taken before another one is made.
 * @param anew begin even if an earlier rotation has not ended.
 * @throws RootKeyError when the version has to be made elsewhere, or a process of the service does not have it.
 */
export const beginRotation = (rootKeys: RootKeys, ask: AskReplicas, anew = false): Promise<Rotation> =>
  rootKeys.exclusively(async (sql) => {
    const { blobsUnderOthers, currentVersion, versions } = await rootKeyStatus(rootKeys, sql);
    if (blobsUnderOthers > 0 && !anew) return { outcome: 'continues', versionId: currentVersion };
    const unused = versions.find(({ state }) => state === 'unused');
    const { versionId } = unused ?? (await rootKeys.provider.create());
    const without = await ask(versionId);
    if (without.length > 0) {
      throw new RootKeyError(`${without.join(', ')} cannot find version ${versionId}: give it to every replica first`);
    }
    await sql.query("UPDATE root_key_versions SET state = 'former' WHERE state = 'current'");
    await sql.query("INSERT INTO root_key_versions (version_id, state) VALUES ($1, 'current')", [versionId]);
    return { outcome: 'begun', versionId };
  });

/** The one version that an id or the beginning of one stands for. @throws RootKeyError */
const chosen = ({ versions }: RootKeyStatus, prefix: string): VersionStatus => {
  const matches = versions.filter(({ versionId }) => versionId.startsWith(prefix));
  const [version] = matches;
  if (version === undefined || prefix === '') throw new RootKeyError(`there is no root key version ${prefix}`);
  if (matches.length > 1) throw new RootKeyError(`${prefix} is the beginning of ${String(matches.length)} versions`);
  return version;
};

/**
 * Removes a version for good, if nothing is under it. Recorded first and removed then, so that a crash between leaves a
 * version that is never used again; another call removes it.
 * @returns its id, and why it could not be removed where that has to be done elsewhere.
 * @throws RootKeyError for the current version, and while a blob names it.
 */
export const retireVersion = async (
  rootKeys: RootKeys,
  prefix: string,
): Promise<{ versionId: string; leftToDo: string | null }> => {
  const versionId = await rootKeys.exclusively(async (sql) => {
    const version = chosen(await rootKeyStatus(rootKeys, sql), prefix);
    const left = blobsOf(version);
    if (version.state === 'current') throw new RootKeyError(`version ${version.versionId} is current: rotate first`);
    if (left > 0) {
      const where = Object.entries(version.blobs).map(([store, blobs]) => `${String(blobs)} in ${store}`);
      throw new RootKeyError(`version ${version.versionId} is still needed: ${where.join(', ')} are under it`);
    }
    await sql.query(
      `INSERT INTO root_key_versions (version_id, state, retired_at) VALUES ($1, 'retired', now())
       ON CONFLICT (version_id) DO UPDATE SET state = 'retired', retired_at = coalesce(root_key_versions.retired_at, now())`,
      [version.versionId],
    );
    return version.versionId;
  });
  try {
    await rootKeys.provider.destroy(versionId);
    return { versionId, leftToDo: null };
  } catch (error) {
    if (!(error instanceof RootKeyError)) throw error;
    return { versionId, leftToDo: error.message };
  }
};
