import { randomBytes } from 'node:crypto';
import type { Sql } from '@holdfast/event-store';
import { memoryRootKeys } from '@holdfast/root-keys/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { StoredKeyMaterials } from './key-materials.ts';

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
/** What came from the root key as bytes. */
let unwrapped: Buffer[];
beforeEach(async () => {
  vi.useFakeTimers();
  table = new Rows();
  const { rootKeys } = await memoryRootKeys('kms');
  unwrapped = [];
  const unwrap = rootKeys.unwrap.bind(rootKeys);
  vi.spyOn(rootKeys, 'unwrap').mockImplementation(async (...row) => {
    const bytes = await unwrap(...row);
    unwrapped.push(bytes);
    return bytes;
  });
  const secrets = { derive: () => Buffer.alloc(32), deriveAll: () => [] };
  materials = new StoredKeyMaterials(table, { rootKeys, secrets });
});
afterEach(() => {
  materials.close();
  vi.useRealTimers();
});

const newName = (keyId = 'key') => ({ keyId, materialId: randomBytes(32).toString('hex') });
const lent = (name: { keyId: string; materialId: string }) => materials.use(name, ({ material }) => material);

describe('key material', () => {
  it('is stored wrapped, and read once', async () => {
    const name = newName();
    const bytes = randomBytes(32);
    await materials.store(name, bytes);
    const material = await lent(name);
    expect(material.export()).toEqual(bytes);
    expect(table.rows[0]!.wrapped.includes(bytes)).toBe(false);
    expect(await lent(name)).toBe(material);
    expect(table.reads).toBe(1);
  });

  it('is kept once, however many ask at the same time; the bytes that it came as are zeroed', async () => {
    const name = newName();
    await materials.store(name, randomBytes(32));
    const copies = await Promise.all([lent(name), lent(name), lent(name)]);
    expect(new Set(copies).size).toBe(1);
    expect(unwrapped.map((bytes) => bytes.equals(Buffer.alloc(32)))).toEqual([true, true, true]);
  });

  it('is let go when its key is forgotten, and only that', async () => {
    const [one, two] = [newName('one'), newName('two')];
    await materials.store(one, randomBytes(32));
    await materials.store(two, randomBytes(32));
    const [first, second] = [await lent(one), await lent(two)];
    materials.forget('one');
    expect(await lent(one)).not.toBe(first);
    expect(await lent(two)).toBe(second);
    materials.clear();
    expect(await lent(two)).not.toBe(second);
  });

  it('is let go when it has been in memory for long', async () => {
    const name = newName();
    await materials.store(name, randomBytes(32));
    const material = await lent(name);
    vi.advanceTimersByTime(240_000);
    expect(await lent(name)).toBe(material);
    vi.advanceTimersByTime(120_000);
    expect(await lent(name)).not.toBe(material);
  });

  it('of the least recently used key makes room', async () => {
    const names = Array.from({ length: 1025 }, (_, n) => newName(`k${String(n)}`));
    for (const name of names) await materials.store(name, randomBytes(32));
    const [first, second] = [await lent(names[0]!), await lent(names[1]!)];
    for (const name of names.slice(2, 1024)) await lent(name);
    await lent(names[0]!);
    await lent(names[1024]!);
    expect(await lent(names[0]!)).toBe(first);
    expect(await lent(names[1]!)).not.toBe(second);
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
