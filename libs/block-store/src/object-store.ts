/** An object that is not there. */
export class ObjectMissing extends Error {
  override readonly name = 'ObjectMissing';
  constructor(key: string) {
    super(`there is no object ${key}`);
  }
}

/** The object store did not do what it was asked for, however often. Says nothing about the object. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
  /** Whether the same request may succeed soon: no answer, or one that tells of the store's own trouble. */
  readonly isTransient: boolean;
  constructor(message: string, { isTransient, cause }: { isTransient: boolean; cause?: unknown }) {
    super(message, { cause });
    this.isTransient = isTransient;
  }
}

export interface StoredObject {
  readonly key: string;
  readonly sizeBytes: number;
  /** Milliseconds since the epoch, by the store's clock. */
  readonly modifiedMs: number;
}

/** What we need of an object store: whole objects in, ranges out. Every method may throw StoreUnavailable. */
export interface ObjectStore {
  /** For messages, e.g. `s3://bucket/prefix`. */
  readonly url: string;
  /**
   * Durable when it settles. Repeating it with the same bytes does no harm.
   * @param ifAbsent leave an object alone that is there. @returns whether it was put.
   */
  put(key: string, body: Buffer<ArrayBuffer>, options?: { ifAbsent?: boolean }): Promise<boolean>;
  /** @returns exactly `lengthBytes`, or fewer where the object ends. @throws ObjectMissing */
  get(key: string, offsetBytes: number, lengthBytes: number): Promise<Buffer>;
  /** Keys that begin with `prefix`, in any order. */
  list(prefix: string): AsyncIterable<StoredObject>;
  /** What is not there counts as removed. */
  remove(keys: readonly string[]): Promise<void>;
}
