const BUCKETS = 1024;

/** FNV-1a over UTF-16 units: spreads short, similar names; nothing depends on its values. */
const bucketOf = (key: string): number => {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % BUCKETS;
};

/**
 * A map whose changes make a new one and leave the old as it was, at the price of copying one bucket: an account's state
 * of thousands of users is folded from its history in milliseconds.
 */
export class PersistentMap<Value> {
  private constructor(
    private readonly buckets: ReadonlyMap<number, ReadonlyMap<string, Value>>[],
    readonly size: number,
  ) {}

  static empty<Value>(): PersistentMap<Value> {
    return new PersistentMap<Value>([], 0);
  }

  get(key: string): Value | undefined {
    const index = bucketOf(key);
    return this.buckets[index >> 5]?.get(index)?.get(key);
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  set(key: string, value: Value): PersistentMap<Value> {
    const grown = this.has(key) ? 0 : 1;
    return this.withBucket(key, (bucket) => bucket.set(key, value), this.size + grown);
  }

  delete(key: string): PersistentMap<Value> {
    if (!this.has(key)) return this;
    return this.withBucket(key, (bucket) => bucket.delete(key), this.size - 1);
  }

  private withBucket(key: string, change: (bucket: Map<string, Value>) => unknown, size: number): PersistentMap<Value> {
    const index = bucketOf(key);
    const group = new Map(this.buckets[index >> 5]);
    const bucket = new Map(group.get(index));
    change(bucket);
    group.set(index, bucket);
    const buckets = [...this.buckets];
    buckets[index >> 5] = group;
    return new PersistentMap(buckets, size);
  }
}
