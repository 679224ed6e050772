import { ObjectMissing, type ObjectStore, type StoredObject } from '../object-store.ts';

/** An object store in memory, for tests that damage what is in it. */
export class MemoryObjects implements ObjectStore {
  readonly url = 's3://memory/test';
  readonly objects = new Map<string, Buffer>();
  /** How many requests of each kind came. */
  readonly counts = { put: 0, get: 0, list: 0, remove: 0 };

  async put(key: string, body: Buffer<ArrayBuffer>, { ifAbsent = false } = {}): Promise<boolean> {
    this.counts.put++;
    const bytes = Buffer.from(body);
    await turn();
    if (ifAbsent && this.objects.has(key)) return false;
    this.objects.set(key, bytes);
    return true;
  }

  async get(key: string, offsetBytes: number, lengthBytes: number): Promise<Buffer> {
    this.counts.get++;
    await turn();
    const object = this.objects.get(key);
    if (object === undefined) throw new ObjectMissing(key);
    return Buffer.from(object.subarray(offsetBytes, offsetBytes + lengthBytes));
  }

  async *list(prefix: string): AsyncGenerator<StoredObject> {
    this.counts.list++;
    const found = [...this.objects].filter(([key]) => key.startsWith(prefix));
    for (const [key, { length }] of found) {
      await turn();
      yield { key, sizeBytes: length, modifiedMs: 0 };
    }
  }

  async remove(keys: readonly string[]): Promise<void> {
    this.counts.remove++;
    await turn();
    for (const key of keys) this.objects.delete(key);
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
