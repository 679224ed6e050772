import { setTimeout as sleep } from 'node:timers/promises';
import type { SubscribableStore } from './types.ts';

/** What a step found: events, or the end of what may be read, behind which committed events may be held back. */
export type StepOutcome = 'handled' | 'held-back' | 'end';

export interface FollowOptions {
  readonly store: Pick<SubscribableStore, 'waitForAppend'>;
  /** Reads from the log and handles what it read. */
  readonly step: () => Promise<StepOutcome>;
  readonly onError: (error: unknown) => void;
  readonly signal: AbortSignal;
}

/** Longest time an append stays unnoticed when its signal got lost. */
const POLL_MS = 1_000;
/** Nobody announces that an older transaction has ended; most take a few milliseconds. */
const HELD_BACK_MIN_MS = 2;
const HELD_BACK_MAX_MS = 100;
const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 2_000;

/** Repeats `step` as long as it finds something, and whenever there may be news. @returns once `signal` aborts. */
export const follow = async ({ store, step, onError, signal }: FollowOptions): Promise<void> => {
  let heldBack = 0;
  let failures = 0;
  while (!signal.aborted) {
    // Waiting begins before the step reads: an append in between is not slept through.
    const stopWaiting = new AbortController();
    const appended = store.waitForAppend(POLL_MS, AbortSignal.any([signal, stopWaiting.signal]));
    try {
      const outcome = await step();
      failures = 0;
      heldBack = outcome === 'held-back' ? heldBack + 1 : 0;
      if (outcome === 'held-back') {
        await pause(Math.min(HELD_BACK_MIN_MS * 2 ** (heldBack - 1), HELD_BACK_MAX_MS), signal);
      } else if (outcome === 'end') {
        await appended;
      }
    } catch (error) {
      if (signal.aborted) return;
      onError(error);
      await pause(Math.min(RETRY_MIN_MS * 2 ** failures++, RETRY_MAX_MS), signal);
    } finally {
      stopWaiting.abort();
    }
  }
};

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  sleep(ms, undefined, { signal }).catch(() => undefined);
