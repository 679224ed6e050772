import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { type EnvelopeKey, type EnvelopeKeyName, type KeyPairSpec, privateKeyOf } from '@holdfast/crypto';
import type { Sql } from '@holdfast/event-store';
import { HELD_CURRENT, UnknownRootKeyVersion } from '@holdfast/root-keys';
import { type KeyMaterials, NoSuchMaterial } from '../../application/ports.ts';
import { KEY_MATERIAL, type KmsRootKeys } from './root-keys.ts';

/** From 28 bytes of HMAC_224 to 2.4 KB of RSA_4096; of ML-DSA the seed alone, however it was imported. */
const MAX_CACHED = 1024;
/** How long material stays in memory: also what bounds it in a replica that does not hear of a key's deletion. */
const MAX_AGE_MS = 300_000;
const SWEEP_INTERVAL_MS = 60_000;

interface Cached {
  readonly keyId: string;
  /** The one copy of the material: OpenSSL's, which wipes it when the last reference is collected. */
  readonly key: KeyObject;
  readonly unwrappedAtMs: number;
}

/** What wraps material, and what names it. */
export interface MaterialKeys extends Pick<KmsRootKeys, 'secrets'> {
  readonly rootKeys: Pick<KmsRootKeys['rootKeys'], 'storing' | 'unwrap'>;
}

/** A request between storing material and appending the event that names it takes seconds at most. */
const ORPHANED_AFTER = '1 hour';

const cacheName = ({ keyId, materialId }: EnvelopeKeyName): string => `${keyId}/${materialId}`;

/**
 * Key material in the table `key_material`, wrapped by the root key, and for a while in memory. Whether a key may be used
 * is never decided here: callers read the key's state first, every time.
 */
export class StoredKeyMaterials implements KeyMaterials {
  /** Least recently used first. */
  private readonly cache = new Map<string, Cached>();
  private readonly sweeper: NodeJS.Timeout;

  constructor(
    private readonly sql: Sql,
    private readonly keys: MaterialKeys,
  ) {
    this.sweeper = setInterval(() => this.evictOld(performance.now()), SWEEP_INTERVAL_MS);
    this.sweeper.unref();
  }

  async store({ keyId, materialId }: EnvelopeKeyName, material: Uint8Array): Promise<void> {
    await this.keys.rootKeys.storing(KEY_MATERIAL, [keyId, materialId], material, async (versionId, wrapped) => {
      const stored = await this.sql.query(
        `WITH ${HELD_CURRENT}
         INSERT INTO key_material (key_id, material_id, root_key_id, wrapped) SELECT $2, $3, version_id, $4 FROM held
         ON CONFLICT (key_id, material_id) DO UPDATE SET root_key_id = excluded.root_key_id, wrapped = excluded.wrapped
         RETURNING true`,
        [versionId, keyId, materialId, wrapped],
      );
      return stored.length > 0;
    });
  }

  async discard({ keyId, materialId }: EnvelopeKeyName): Promise<void> {
    await this.sql.query(
      `DELETE FROM key_material m WHERE key_id = $1 AND material_id = $2 AND NOT EXISTS (
         SELECT FROM key_versions v WHERE v.key_id = m.key_id AND v.material_id = m.material_id)`,
      [keyId, materialId],
    );
  }

  async use<Result>({ keyId, materialId }: EnvelopeKeyName, work: (key: EnvelopeKey) => Result): Promise<Result> {
    const name = { keyId, materialId };
    return work({ ...name, material: await this.key(name, createSecretKey) });
  }

  async usePrivateKey<Result>(
    { keyId, materialId }: EnvelopeKeyName,
    spec: KeyPairSpec,
    work: (privateKey: KeyObject) => Result,
  ): Promise<Result> {
    return work(await this.key({ keyId, materialId }, (material) => privateKeyOf(spec, material)));
  }

  identify(keyId: string, material: Uint8Array): string[] {
    return this.keys.secrets.deriveAll('material-ids').map((secret) => {
      const id = createHmac('sha256', secret).update(`${keyId}\n`).update(material).digest('hex');
      secret.fill(0);
      return id;
    });
  }

  async sweep(): Promise<number> {
    const rows = await this.sql.query(
      `DELETE FROM key_material m WHERE m.created_at < now() - $1::interval AND NOT EXISTS (
         SELECT FROM key_versions v WHERE v.key_id = m.key_id AND v.material_id = m.material_id) RETURNING true`,
      [ORPHANED_AFTER],
    );
    return rows.length;
  }

  forget(keyId: string): void {
    for (const [name, entry] of this.cache) if (entry.keyId === keyId) this.cache.delete(name);
  }

  clear(): void {
    this.cache.clear();
  }

  close(): void {
    clearInterval(this.sweeper);
    this.clear();
  }

  /** Between reading a row and unwrapping it the row may be wrapped anew, and the version it was under retired. */
  private async unwrap(name: EnvelopeKeyName): Promise<Buffer> {
    const { rootKeys } = this.keys;
    const key = [name.keyId, name.materialId];
    const wrapped = await this.read(name);
    try {
      return await rootKeys.unwrap(KEY_MATERIAL, key, wrapped);
    } catch (error) {
      const again = error instanceof UnknownRootKeyVersion ? await this.read(name) : wrapped;
      if (again.equals(wrapped)) throw error;
      return rootKeys.unwrap(KEY_MATERIAL, key, again);
    }
  }

  private async read({ keyId, materialId }: EnvelopeKeyName): Promise<Buffer> {
    const [row] = await this.sql.query<{ wrapped: Buffer }>(
      'SELECT wrapped FROM key_material WHERE key_id = $1 AND material_id = $2',
      [keyId, materialId],
    );
    if (row === undefined) throw new NoSuchMaterial(`there is no material ${materialId} of key ${keyId}`);
    return row.wrapped;
  }

  /** @param from makes a key of the bytes, which are zeroed then; a material is put to one kind of use only. */
  private async key(name: EnvelopeKeyName, from: (material: Buffer) => KeyObject): Promise<KeyObject> {
    const present = this.cached(name);
    if (present !== undefined) return present;
    const material = await this.unwrap(name);
    try {
      return this.cached(name) ?? this.keep(name, from(material)); // Another request may have been faster.
    } finally {
      material.fill(0);
    }
  }

  private cached(name: EnvelopeKeyName): KeyObject | undefined {
    const entry = this.cache.get(cacheName(name));
    if (entry === undefined) return undefined;
    this.cache.delete(cacheName(name));
    this.cache.set(cacheName(name), entry);
    return entry.key;
  }

  private keep(name: EnvelopeKeyName, key: KeyObject): KeyObject {
    this.cache.set(cacheName(name), { keyId: name.keyId, key, unwrappedAtMs: performance.now() });
    const [oldest] = this.cache.keys();
    if (this.cache.size > MAX_CACHED && oldest !== undefined) this.cache.delete(oldest);
    return key;
  }

  private evictOld(nowMs: number): void {
    for (const [name, { unwrappedAtMs }] of this.cache) {
      if (nowMs - unwrappedAtMs > MAX_AGE_MS) this.cache.delete(name);
    }
  }
}
