import { type ObjectStore, type StoredObject, StoreUnavailable } from '../object-store.ts';
import { seededRandom } from './faulty-block-device.ts';

/** Probabilities, 0 to 1. */
export interface ObjectFaults {
  /** The request does not arrive. */
  readonly drops?: number;
  /** The store answers that it has a problem of its own, before it did anything. */
  readonly errors?: number;
  /** What was asked for is done, and the answer does not arrive. */
  readonly lostAnswers?: number;
  /** The request arrives twice. */
  readonly duplicates?: number;
  /** An answer's body ends early, and the client notices by its length. */
  readonly cutBodies?: number;
}

/** An object store behind a bad network: what fails is drawn from a seed, request by request. */
export class FaultyObjects implements ObjectStore {
  /** May be set at any time. */
  faults: ObjectFaults;
  /** Nothing arrives at all. */
  isAway = false;
  readonly #below: ObjectStore;
  readonly #random: () => number;

  constructor(below: ObjectStore, seed: number, faults: ObjectFaults = {}) {
    this.#below = below;
    this.#random = seededRandom(seed);
    this.faults = faults;
  }

  get url(): string {
    return this.#below.url;
  }

  put(key: string, body: Buffer<ArrayBuffer>, options?: { ifAbsent?: boolean }): Promise<boolean> {
    return this.#pass(() => this.#below.put(key, body, options));
  }

  get(key: string, offsetBytes: number, lengthBytes: number): Promise<Buffer> {
    return this.#pass(() => this.#below.get(key, offsetBytes, lengthBytes), this.faults.cutBodies);
  }

  async *list(prefix: string): AsyncGenerator<StoredObject> {
    const found = await this.#pass(async () => {
      const objects: StoredObject[] = [];
      for await (const object of this.#below.list(prefix)) objects.push(object);
      return objects;
    });
    yield* found;
  }

  remove(keys: readonly string[]): Promise<void> {
    return this.#pass(() => this.#below.remove(keys));
  }

  /** As many draws for each request, whatever comes of them. */
  async #pass<Result>(work: () => Promise<Result>, cutBodies = 0): Promise<Result> {
    const { drops = 0, errors = 0, lostAnswers = 0, duplicates = 0 } = this.faults;
    const [drop, error, lost, duplicate, cut] = [0, 0, 0, 0, 0].map(() => this.#random()) as [
      number,
      number,
      number,
      number,
      number,
    ];
    if (this.isAway || drop < drops) throw transient('no answer');
    if (error < errors) throw transient('500');
    if (duplicate < duplicates) await work();
    const result = await work();
    if (lost < lostAnswers) throw transient('connection reset');
    if (cut < cutBodies) throw transient('the body ended early');
    return result;
  }
}

const transient = (what: string) => new StoreUnavailable(`injected: ${what}`, { isTransient: true });
