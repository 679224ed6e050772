import { createHash } from 'node:crypto';

export const UNIT = 4_096;
export const BLOCK = 524_288;
export const GIB = 1_073_741_824;

const ZERO = Buffer.alloc(UNIT);

/** What a volume or snapshot should hold, by units of 4 KiB; those that were never written are zeros. */
export class Content {
  readonly #units: Map<number, Buffer>;
  /** What else may be found in a unit after a loss of power: whatever it held since the last acknowledged flush. */
  readonly #sinceFlush = new Map<number, Buffer[]>();
  /** What else may be found in a unit now; settled by the next look at it. */
  readonly #unsure = new Map<number, Buffer[]>();

  constructor(units: ReadonlyMap<number, Buffer> = new Map()) {
    this.#units = new Map(units);
  }

  /** Of this moment. */
  copy(): Content {
    if (this.#unsure.size > 0) throw new Error('nobody looked since the crash');
    return new Content(this.#units);
  }

  write(offset: number, data: Buffer): void {
    for (const [unit, before, after] of this.#overlaid(offset, data)) {
      this.#sinceFlush.set(unit, [...(this.#sinceFlush.get(unit) ?? []), before]);
      this.#units.set(unit, after);
    }
  }

  /** It was sent and never answered: each unit holds it or not. */
  mayHave(offset: number, data: Buffer): void {
    for (const [unit, , after] of this.#overlaid(offset, data)) this.#mayBe(unit, [after]);
  }

  /** A flush was acknowledged, which no write was under way with. */
  flushed(): void {
    this.#sinceFlush.clear();
  }

  /** Of whole units, that one range was written with FUA. */
  flushedIn(offset: number, length: number): void {
    for (let unit = Math.ceil(offset / UNIT); (unit + 1) * UNIT <= offset + length; unit++)
      this.#sinceFlush.delete(unit);
  }

  /** Whatever was not flushed may be gone. */
  losePower(): void {
    for (const [unit, before] of this.#sinceFlush) this.#mayBe(unit, before);
  }

  /** @throws Error naming the first unit that holds what it can't hold. */
  check(offset: number, found: Buffer, what: string): void {
    for (let at = 0; at < found.length; at += UNIT) {
      const unit = (offset + at) / UNIT;
      const now = found.subarray(at, at + UNIT);
      const allowed = [this.#unit(unit), ...(this.#unsure.get(unit) ?? [])];
      const settled = allowed.find((content) => content.equals(now));
      if (settled === undefined) throw new Error(`${what}: unit ${unit} ${this.#describe(unit, now)}`);
      if (!this.#unsure.delete(unit) || settled === allowed[0]) continue;
      this.#sinceFlush.set(unit, [...(this.#sinceFlush.get(unit) ?? []), this.#unit(unit)]);
      this.#units.set(unit, Buffer.from(settled));
    }
  }

  read(offset: number, length: number): Buffer {
    const [first, last] = [Math.floor(offset / UNIT), Math.floor((offset + length - 1) / UNIT)];
    const units = Array.from({ length: last - first + 1 }, (_, at) => this.#unit(first + at));
    return Buffer.concat(units).subarray(offset - first * UNIT, offset - first * UNIT + length);
  }

  #unit(unit: number): Buffer {
    return this.#units.get(unit) ?? ZERO;
  }

  #mayBe(unit: number, contents: readonly Buffer[]): void {
    this.#unsure.set(unit, [...(this.#unsure.get(unit) ?? []), ...contents]);
  }

  *#overlaid(offset: number, data: Buffer): Generator<[unit: number, before: Buffer, after: Buffer]> {
    for (let at = offset; at < offset + data.length;) {
      const unit = Math.floor(at / UNIT);
      const stop = Math.min(offset + data.length, (unit + 1) * UNIT);
      const before = this.#unit(unit);
      const after = Buffer.from(before);
      data.copy(after, at - unit * UNIT, at - offset, stop - offset);
      yield [unit, before, after];
      at = stop;
    }
  }

  #describe(unit: number, found: Buffer): string {
    const name = (bytes: Buffer) =>
      bytes.equals(ZERO) ? 'zeros' : createHash('sha256').update(bytes).digest('hex').slice(0, 8);
    const first = this.#unit(unit).findIndex((byte, at) => byte !== found[at]);
    const others = (this.#unsure.get(unit) ?? []).map(name).join(' or ');
    return `holds ${name(found)}, not ${name(this.#unit(unit))}${others === '' ? '' : ` or ${others}`} (byte ${first})`;
  }
}
