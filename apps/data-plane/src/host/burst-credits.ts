import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { type BurstCredits, type StoreLayout, type VolumeLimiter, writeFileDurably } from '@holdfast/block-store';
import { z } from 'zod';

const schema = z.object({
  /** Epoch milliseconds. */
  at: z.number(),
  operationCredits: z.number().optional(),
  byteCredits: z.number().optional(),
});

/** A process that is killed forgets what was used since it was last noted, at most so long ago. */
const NOTE_EVERY_MS = 10_000;

/** What a volume has left to burst with, kept beside its data: neither detaching it nor a crash fills it up. */
export class KeptCredits {
  readonly #path: string;
  readonly #limiter: VolumeLimiter;
  readonly #noteEveryMs: number;
  #timer: NodeJS.Timeout | null = null;
  #noting = false;
  #noted: BurstCredits | null = null;

  constructor(layout: StoreLayout, volumeId: string, limiter: VolumeLimiter, noteEveryMs = NOTE_EVERY_MS) {
    this.#path = layout.volume(volumeId).credits;
    this.#limiter = limiter;
    this.#noteEveryMs = noteEveryMs;
  }

  /** For after the limiter's first limits; from then on they are noted from time to time. */
  restore(): void {
    if (this.#timer !== null) return;
    this.#timer = setInterval(() => void this.#note(), this.#noteEveryMs).unref();
    const kept = this.#read();
    if (kept !== null) this.#limiter.restoreCredits(kept.credits, Date.now() - kept.at);
  }

  /** Durably, and for the last time. */
  save(): void {
    clearInterval(this.#timer ?? undefined);
    const credits = this.#limiter.credits();
    if (credits !== null) writeFileDurably(this.#path, JSON.stringify({ at: Date.now(), ...credits }));
  }

  /** Not synced, for that would hold up the guest: a loss of power may forget it, the end of this process does not. */
  async #note(): Promise<void> {
    const credits = this.#limiter.credits();
    if (credits === null || this.#noting || isSame(credits, this.#noted)) return;
    this.#noting = true;
    const temporary = `${this.#path}.noted`;
    try {
      await writeFile(temporary, JSON.stringify({ at: Date.now(), ...credits }), { mode: 0o600 });
      await rename(temporary, this.#path);
      this.#noted = credits;
    } catch {
      // The next time.
    } finally {
      this.#noting = false;
    }
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

/** A full bucket stays as it is. */
const isSame = (credits: BurstCredits, noted: BurstCredits | null): boolean =>
  credits.operationCredits === noted?.operationCredits && credits.byteCredits === noted?.byteCredits;
