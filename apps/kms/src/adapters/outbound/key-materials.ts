import { randomFillSync } from 'node:crypto';
import { type EnvelopeKey, type EnvelopeKeyName, unwrapKeyMaterial, wrapKeyMaterial } from '@holdfast/crypto';
import type { Sql } from '@holdfast/event-store';
import type { KeyMaterials } from '../../application/ports.ts';
import type { RootKeys } from './root-keys.ts';

/** 32 bytes each. */
const MAX_CACHED = 1024;
/** How long material stays in memory: also what bounds it in a replica that does not hear of a key's deletion. */
const MAX_AGE_MS = 300_000;
const SWEEP_INTERVAL_MS = 60_000;

interface Cached {
  readonly keyId: string;
  readonly material: Buffer;
  readonly unwrappedAtMs: number;
}

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
    private readonly rootKeys: RootKeys,
  ) {
    this.sweeper = setInterval(() => this.sweep(performance.now()), SWEEP_INTERVAL_MS);
    this.sweeper.unref();
  }

  async create({ keyId, materialId }: EnvelopeKeyName): Promise<void> {
    const { current } = this.rootKeys;
    const material = randomFillSync(Buffer.alloc(32));
    try {
      const wrapped = wrapKeyMaterial(current, { keyId, materialId, material });
      await this.sql.query(
        'INSERT INTO key_material (key_id, material_id, root_key_id, wrapped) VALUES ($1, $2, $3, $4)',
        [keyId, materialId, current.materialId, wrapped],
      );
    } finally {
      material.fill(0);
    }
  }

  async discard({ keyId, materialId }: EnvelopeKeyName): Promise<void> {
    await this.sql.query('DELETE FROM key_material WHERE key_id = $1 AND material_id = $2', [keyId, materialId]);
  }

  async use<Result>({ keyId, materialId }: EnvelopeKeyName, work: (key: EnvelopeKey) => Result): Promise<Result> {
    const name = { keyId, materialId };
    // From here to the end of `work` nothing else runs, so nothing zeroes the material under it.
    const material = this.cached(name) ?? this.keep(name, await this.unwrap(name));
    return work({ ...name, material });
  }

  forget(keyId: string): void {
    for (const [name, entry] of this.cache) if (entry.keyId === keyId) this.evict(name, entry);
  }

  clear(): void {
    for (const [name, entry] of this.cache) this.evict(name, entry);
  }

  close(): void {
    clearInterval(this.sweeper);
    this.clear();
  }

  private async unwrap(name: EnvelopeKeyName): Promise<Buffer> {
    const [row] = await this.sql.query<{ root_key_id: string; wrapped: Buffer }>(
      'SELECT root_key_id, wrapped FROM key_material WHERE key_id = $1 AND material_id = $2',
      [name.keyId, name.materialId],
    );
    if (row === undefined) throw new Error(`there is no material ${name.materialId} of key ${name.keyId}`);
    const rootKey = this.rootKeys.find(row.root_key_id);
    if (rootKey === undefined) throw new Error(`key ${name.keyId} is wrapped by unknown root key ${row.root_key_id}`);
    return unwrapKeyMaterial(rootKey, row.wrapped, name);
  }

  private cached(name: EnvelopeKeyName): Buffer | undefined {
    const entry = this.cache.get(cacheName(name));
    if (entry === undefined) return undefined;
    this.cache.delete(cacheName(name));
    this.cache.set(cacheName(name), entry);
    return entry.material;
  }

  /** Another request may have unwrapped the same meanwhile; one copy is enough. */
  private keep(name: EnvelopeKeyName, material: Buffer): Buffer {
    const present = this.cached(name);
    if (present !== undefined) {
      material.fill(0);
      return present;
    }
    this.cache.set(cacheName(name), { keyId: name.keyId, material, unwrappedAtMs: performance.now() });
    const [oldest] = this.cache;
    if (this.cache.size > MAX_CACHED && oldest !== undefined) this.evict(...oldest);
    return material;
  }

  private sweep(nowMs: number): void {
    for (const [name, entry] of this.cache) if (nowMs - entry.unwrappedAtMs > MAX_AGE_MS) this.evict(name, entry);
  }

  private evict(name: string, { material }: Cached): void {
    this.cache.delete(name);
    material.fill(0);
  }
}
