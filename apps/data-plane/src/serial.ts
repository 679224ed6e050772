/** Runs what is given under one name one after the other. */
export class Serial<Name> {
  readonly #tails = new Map<Name, Promise<unknown>>();

  run<Result>(name: Name, work: () => Promise<Result>): Promise<Result> {
    const before = this.#tails.get(name) ?? Promise.resolve();
    const result = before.then(work, work);
    const tail = result.catch(() => undefined);
    this.#tails.set(name, tail);
    void tail.then(() => {
      if (this.#tails.get(name) === tail) this.#tails.delete(name);
    });
    return result;
  }
}
