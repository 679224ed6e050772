import type { Credential } from './authorization.ts';

interface Entry<Key> {
  readonly accessKeyId: string;
  readonly since: number;
  readonly key: Promise<Key | null>;
}

export interface SigningKeyCacheOptions {
  readonly now: () => Date;
  readonly entries: number;
  readonly maxAgeMs: number;
}

/** Least recently used signing keys. Requests for one key that is being resolved wait for the same answer. */
export class SigningKeyCache<Key> {
  /** In order of last use: a Map keeps the order of insertion. */
  private readonly entries = new Map<string, Entry<Key>>();

  constructor(
    private readonly resolve: (scope: Credential) => Promise<Key | null>,
    private readonly options: SigningKeyCacheOptions,
  ) {}

  async get(scope: Credential): Promise<Key | null> {
    const id = [scope.accessKeyId, scope.date, scope.region, scope.service].join('/');
    const found = this.entries.get(id);
    if (found !== undefined && this.isFresh(found)) {
      this.entries.delete(id);
      this.entries.set(id, found);
      return found.key;
    }
    const entry = { accessKeyId: scope.accessKeyId, since: this.options.now().getTime(), key: this.resolve(scope) };
    this.remember(id, entry);
    return this.keepIfFound(id, entry);
  }

  /** Absence and failure are not remembered: a key made a moment later works at once. */
  private async keepIfFound(id: string, entry: Entry<Key>): Promise<Key | null> {
    const drop = () => {
      if (this.entries.get(id) === entry) this.entries.delete(id);
    };
    try {
      const key = await entry.key;
      if (key === null) drop();
      return key;
    } catch (error) {
      drop();
      throw error;
    }
  }

  forget(accessKeyId?: string): void {
    for (const [id, entry] of this.entries) {
      if (accessKeyId === undefined || entry.accessKeyId === accessKeyId) this.entries.delete(id);
    }
  }

  /** A clock that was turned back makes an entry stale, not immortal. */
  private isFresh(entry: Entry<Key>): boolean {
    const age = this.options.now().getTime() - entry.since;
    return age >= 0 && age < this.options.maxAgeMs;
  }

  private remember(id: string, entry: Entry<Key>): void {
    this.entries.delete(id);
    this.entries.set(id, entry);
    if (this.entries.size <= this.options.entries) return;
    const [oldest] = this.entries.keys();
    if (oldest !== undefined) this.entries.delete(oldest);
  }
}
