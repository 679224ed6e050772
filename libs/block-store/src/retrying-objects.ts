import { setTimeout as sleep } from 'node:timers/promises';
import { type ObjectStore, type StoredObject, StoreUnavailable } from './object-store.ts';

export interface RetryOptions {
  /** No attempt begins later than so many milliseconds after the first. */
  readonly totalMs?: number;
  readonly firstDelayMs?: number;
  readonly lastDelayMs?: number;
  /** 0 to 1; for tests. */
  readonly random?: () => number;
}

/** Repeats what fails for the store's own reasons, after delays drawn from an interval that doubles ("full jitter"). */
export class RetryingObjects implements ObjectStore {
  readonly #below: ObjectStore;
  readonly #options: Required<RetryOptions>;

  constructor(
    below: ObjectStore,
    { totalMs = 20_000, firstDelayMs = 100, lastDelayMs = 3_000, random = Math.random }: RetryOptions = {},
  ) {
    this.#below = below;
    this.#options = { totalMs, firstDelayMs, lastDelayMs, random };
  }

  get url(): string {
    return this.#below.url;
  }

  put(key: string, body: Buffer<ArrayBuffer>, options?: { ifAbsent?: boolean }): Promise<boolean> {
    return this.#repeat(() => this.#below.put(key, body, options));
  }

  get(key: string, offsetBytes: number, lengthBytes: number): Promise<Buffer> {
    return this.#repeat(() => this.#below.get(key, offsetBytes, lengthBytes));
  }

  /** From its beginning, so that no page is missed; what is listed is therefore held until all of it is there. */
  async *list(prefix: string): AsyncGenerator<StoredObject> {
    yield* await this.#repeat(async () => {
      const found: StoredObject[] = [];
      for await (const object of this.#below.list(prefix)) found.push(object);
      return found;
    });
  }

  remove(keys: readonly string[]): Promise<void> {
    return this.#repeat(() => this.#below.remove(keys));
  }

  async #repeat<Result>(attempt: () => Promise<Result>): Promise<Result> {
    const { totalMs, firstDelayMs, lastDelayMs, random } = this.#options;
    const deadlineMs = performance.now() + totalMs;
    for (let delayMs = firstDelayMs; ; delayMs = Math.min(lastDelayMs, 2 * delayMs)) {
      try {
        return await attempt();
      } catch (error) {
        const waitMs = delayMs * random();
        const mayRepeat = error instanceof StoreUnavailable && error.isTransient;
        if (!mayRepeat || performance.now() + waitMs >= deadlineMs) throw error;
        await sleep(waitMs);
      }
    }
  }
}
