import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BlockStore } from './block-store.ts';
import { StoreUnavailable } from './object-store.ts';

const FIRST_WAIT_MS = 500;
const LAST_WAIT_MS = 5_000;

export interface Patience {
  /** Ends the waiting: what was waited for fails then. */
  readonly signal: AbortSignal;
  /** Once for each time that the store goes away, and when it is back. */
  readonly log: (level: 'warn' | 'info', message: string) => void;
}

/**
 * For a guest whose blocks are still in the store: while the store is away, its reads wait and do not fail. A block that is
 * damaged or missing fails at once, and so does what is put: its copying goes on later by itself.
 */
export const patientStore = (below: BlockStore, { signal, log }: Patience): BlockStore => {
  let isAway = false;
  // As many may wait as blocks are fetched at once.
  setMaxListeners(0, signal);
  const note = (away: boolean, message: string) => {
    if (away !== isAway) log(away ? 'warn' : 'info', message);
    isAway = away;
  };
  const get: BlockStore['get'] = async (digest) => {
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(LAST_WAIT_MS, 2 * waitMs)) {
      try {
        const bytes = await below.get(digest);
        note(false, 'the block store answers again');
        return bytes;
      } catch (error) {
        if (!(error instanceof StoreUnavailable) || signal.aborted) throw error;
        note(true, `waiting for the block store: ${error.message}`);
        await sleep(waitMs, undefined, { signal }).catch(() => undefined);
        if (signal.aborted) throw error;
      }
    }
  };
  return {
    ...(below.batchBlocks === undefined ? {} : { batchBlocks: below.batchBlocks }),
    put: (digest, bytes) => below.put(digest, bytes),
    settle: () => below.settle(),
    get,
  };
};
