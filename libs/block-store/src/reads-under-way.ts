interface Reading {
  readonly from: number;
  readonly end: number;
  /** Something of it was written since it began. */
  isStale: boolean;
}

/** Reads that go on off the event loop while it writes, and yet are as if made in one moment. */
export class ReadsUnderWay {
  readonly #reading = new Set<Reading>();

  /** @param again on the event loop: made when something was written to the range meanwhile. */
  async run(offsetBytes: number, lengthBytes: number, read: () => Promise<void>, again: () => void): Promise<void> {
    const reading = { from: offsetBytes, end: offsetBytes + lengthBytes, isStale: false };
    this.#reading.add(reading);
    try {
      await read();
    } finally {
      this.#reading.delete(reading);
    }
    if (reading.isStale) again();
  }

  /** Told before the range is written. */
  writing(offsetBytes: number, lengthBytes: number): void {
    for (const reading of this.#reading)
      if (reading.from < offsetBytes + lengthBytes && reading.end > offsetBytes) reading.isStale = true;
  }
}
