import type { BlockDevice } from './block-device.ts';

/**
 * Holds back the changes of every device that it guards for a moment: so that several volumes stand still at once. Reads
 * and flushes go on. It opens by itself, for a guest must not hang on somebody who went away.
 */
export class ChangeGate {
  /** Null: it is open. */
  #closed: { opened: Promise<void>; open: () => void; timer: NodeJS.Timeout } | null = null;
  readonly #underWay = new Set<Promise<void>>();

  get isHeld(): boolean {
    return this.#closed !== null;
  }

  /** Every change that was begun is done when it resolves, and none begins until `release`, or for `limitMs`. */
  async hold(limitMs: number): Promise<void> {
    if (this.#closed === null) {
      let open: () => void = () => undefined;
      const opened = new Promise<void>((resolve) => {
        open = resolve;
      });
      this.#closed = { opened, open, timer: setTimeout(() => this.release(), limitMs) };
    }
    await Promise.allSettled(this.#underWay);
  }

  release(): void {
    const closed = this.#closed;
    this.#closed = null;
    if (closed === null) return;
    clearTimeout(closed.timer);
    closed.open();
  }

  pass(change: () => void | Promise<void>): void | Promise<void> {
    const closed = this.#closed;
    if (closed !== null) return closed.opened.then(() => this.pass(change));
    const done = change();
    if (done === undefined) return;
    const settled = done.finally(() => this.#underWay.delete(settled));
    this.#underWay.add(settled);
    return settled;
  }
}

/** A device whose changes pass a gate. */
export class GatedDevice implements BlockDevice {
  readonly #device: BlockDevice;
  readonly #gate: ChangeGate;

  constructor(device: BlockDevice, gate: ChangeGate) {
    this.#device = device;
    this.#gate = gate;
  }

  get sizeBytes(): number {
    return this.#device.sizeBytes;
  }

  get readOnly(): boolean {
    return this.#device.readOnly;
  }

  read(offsetBytes: number, target: Buffer): void | Promise<void> {
    return this.#device.read(offsetBytes, target);
  }

  flush(): Promise<void> {
    return this.#device.flush();
  }

  extents(offsetBytes: number, lengthBytes: number): ReturnType<BlockDevice['extents']> {
    return this.#device.extents(offsetBytes, lengthBytes);
  }

  write(offsetBytes: number, data: Buffer): void | Promise<void> {
    return this.#gate.pass(() => this.#device.write(offsetBytes, data));
  }

  trim(offsetBytes: number, lengthBytes: number): void | Promise<void> {
    return this.#gate.pass(() => this.#device.trim(offsetBytes, lengthBytes));
  }

  writeZeroes(offsetBytes: number, lengthBytes: number, options: { mayTrim: boolean }): void | Promise<void> {
    return this.#gate.pass(() => this.#device.writeZeroes(offsetBytes, lengthBytes, options));
  }
}
