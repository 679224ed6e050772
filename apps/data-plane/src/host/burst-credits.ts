import { readFileSync } from 'node:fs';
import { type BurstCredits, type StoreLayout, type VolumeLimiter, writeFileDurably } from '@holdfast/block-store';
import { z } from 'zod';

const schema = z.object({
  /** Epoch milliseconds. */
  at: z.number(),
  operationCredits: z.number().optional(),
  byteCredits: z.number().optional(),
});

/** What a volume has left to burst with, kept beside its data: detaching it does not fill it up. */
export class KeptCredits {
  readonly #path: string;
  readonly #limiter: VolumeLimiter;
  #isRestored = false;

  constructor(layout: StoreLayout, volumeId: string, limiter: VolumeLimiter) {
    this.#path = layout.volume(volumeId).credits;
    this.#limiter = limiter;
  }

  /** For after the limiter's first limits. */
  restore(): void {
    if (this.#isRestored) return;
    this.#isRestored = true;
    const kept = this.#read();
    if (kept !== null) this.#limiter.restoreCredits(kept.credits, Date.now() - kept.at);
  }

  save(): void {
    const credits = this.#limiter.credits();
    if (credits !== null) writeFileDurably(this.#path, JSON.stringify({ at: Date.now(), ...credits }));
  }

  /** Null: there is nothing that could be believed, and a new volume is full. */
  #read(): { at: number; credits: BurstCredits } | null {
    try {
      const { at, operationCredits, byteCredits } = schema.parse(JSON.parse(readFileSync(this.#path, 'utf8')));
      const credits = {
        ...(operationCredits === undefined ? {} : { operationCredits }),
        ...(byteCredits === undefined ? {} : { byteCredits }),
      };
      return { at, credits };
    } catch {
      return null;
    }
  }
}
