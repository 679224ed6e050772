import { setImmediate as nextTurn } from 'node:timers/promises';

interface Waiting<Found> {
  readonly resolve: (found: Found | null) => void;
  readonly reject: (error: unknown) => void;
}

/** Names that one query asks for; the rest waits for the next. */
const MAX_NAMES = 256;

/**
 * Many lookups of one kind in few queries. What is asked while a query is under way goes into the next one, which begins after
 * it was asked: everybody sees at least what was committed before they asked, as with a query of their own. What the process
 * has received already comes along: a turn of the event loop takes microseconds when there is nothing else to do, and as long
 * as it takes to read many requests when there are many.
 */
export class SharedLookups<Found> {
  private waiting = new Map<string, Waiting<Found>[]>();
  private running = false;

  /** @param lookUp what is found, by name; names that are not in it do not exist. */
  constructor(private readonly lookUp: (names: readonly string[]) => Promise<ReadonlyMap<string, Found>>) {}

  find(name: string): Promise<Found | null> {
    return new Promise((resolve, reject) => {
      const others = this.waiting.get(name);
      if (others === undefined) this.waiting.set(name, [{ resolve, reject }]);
      else others.push({ resolve, reject });
      if (!this.running) void this.run();
    });
  }

  private async run(): Promise<void> {
    this.running = true;
    do {
      await nextTurn();
      await this.runOnce();
    } while (this.waiting.size > 0);
    this.running = false;
  }

  private async runOnce(): Promise<void> {
    const asked = [...this.waiting].slice(0, MAX_NAMES);
    for (const [name] of asked) this.waiting.delete(name);
    try {
      const found = await this.lookUp(asked.map(([name]) => name));
      for (const [name, askers] of asked) for (const { resolve } of askers) resolve(found.get(name) ?? null);
    } catch (error) {
      for (const [, askers] of asked) for (const { reject } of askers) reject(error);
    }
  }
}
