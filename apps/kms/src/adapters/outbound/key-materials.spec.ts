import { randomBytes } from 'node:crypto';
import type { Sql } from '@holdfast/event-store';
import { memoryRootKeys } from '@holdfast/root-keys/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { StoredKeyMaterials } from './key-materials.ts';
import { keyMaterialStore } from './root-keys.ts';

interface Row {
  key_id: string;
  material_id: string;
  root_key_id: string;
  wrapped: Buffer;
}

/** The table, as far as these three statements go. */
class Rows implements Sql {
  rows: Row[] = [];
  reads = 0;
  async query<Result>(text: string, values: readonly unknown[] = []): Promise<Result[]> {
    const isInsert = text.startsWith('WITH held');
    const [keyId, materialId] = isInsert ? values.slice(1) : values;
    const isIt = (row: Row) => row.key_id === keyId && row.material_id === materialId;
    if (isInsert) {
      const [root_key_id, , , wrapped] = values;
      this.rows.push({ key_id: keyId, material_id: materialId, root_key_id, wrapped } as Row);
      return [{ bool: true }] as Result[];
    }
    if (text.startsWith('DELETE')) this.rows = this.rows.filter((row) => !isIt(row));
    else this.reads++;
    return this.rows.filter(isIt) as Result[];
  }
}

let table: Rows;
let materials: StoredKeyMaterials;
beforeEach(async () => {
  vi.useFakeTimers();
  table = new Rows();
  const { rootKeys, provider } = await memoryRootKeys('kms');
  const secrets = { derive: () => Buffer.alloc(32), deriveAll: () => [] };
  materials = new StoredKeyMaterials(table, { rootKeys, secrets, store: keyMaterialStore(provider) });
});
afterEach(() => {
  materials.close();
  vi.useRealTimers();
});

const newName = (keyId = 'key') => ({ keyId, materialId: randomBytes(32).toString('hex') });
/** The buffer that `use` lends, kept against the rules, to see what becomes of it. */
const lent = (name: { keyId: string; materialId: string }) => materials.use(name, ({ material }) => material as Buffer);
const zeroes = Buffer.alloc(32);

describe('key material', () => {
  it('is stored wrapped, and read once', async () => {
    const name = newName();
    await materials.store(name, randomBytes(32));
    const material = await lent(name);
    expect(material).toHaveLength(32);
    expect(material.equals(zeroes)).toBe(false);
    expect(table.rows[0]!.wrapped.includes(material)).toBe(false);
    expect(await lent(name)).toBe(material);
    expect(table.reads).toBe(1);
  });

  it('is kept once, however many ask at the same time', async () => {
    const name = newName();
    await materials.store(name, randomBytes(32));
    const copies = await Promise.all([lent(name), lent(name), lent(name)]);
    expect(new Set(copies).size).toBe(1);
    expect(copies[0]!.equals(zeroes)).toBe(false);
  });

  it('is zeroed when its key is forgotten, and only that', async () => {
    const [one, two] = [newName('one'), newName('two')];
    await materials.store(one, randomBytes(32));
    await materials.store(two, randomBytes(32));
    const [first, second] = [await lent(one), await lent(two)];
    materials.forget('one');
    expect(first.equals(zeroes)).toBe(true);
    expect(second.equals(zeroes)).toBe(false);
    materials.clear();
    expect(second.equals(zeroes)).toBe(true);
  });

  it('is zeroed when it has been in memory for long', async () => {
    const name = newName();
    await materials.store(name, randomBytes(32));
    const material = await lent(name);
    vi.advanceTimersByTime(240_000);
    expect(material.equals(zeroes)).toBe(false);
    vi.advanceTimersByTime(120_000);
    expect(material.equals(zeroes)).toBe(true);
    expect(await lent(name)).not.toBe(material);
  });

  it('of the least recently used key makes room', async () => {
    const names = Array.from({ length: 1025 }, (_, n) => newName(`k${String(n)}`));
    for (const name of names) await materials.store(name, randomBytes(32));
    const [first, second] = [await lent(names[0]!), await lent(names[1]!)];
    for (const name of names.slice(2, 1024)) await lent(name);
    await lent(names[0]!);
    await lent(names[1024]!);
    expect(first.equals(zeroes)).toBe(false);
    expect(second.equals(zeroes)).toBe(true);
  });

  it('that is gone, or put in the place of another, is an error', async () => {
    const [one, two] = [newName('one'), newName('two')];
    await materials.store(one, randomBytes(32));
    await materials.store(two, randomBytes(32));
    table.rows[0]!.wrapped = table.rows[1]!.wrapped;
    await expect(lent(one)).rejects.toThrow('the wrapped key is invalid');
    await materials.discard(two);
    await expect(lent(two)).rejects.toThrow('there is no material');
  });
});
