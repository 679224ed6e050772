import { loadAddonEngine } from './addon-engine.ts';
import { nodeCryptoEngine } from './node-crypto-engine.ts';
import type { XtsEngine } from './sector-cipher.ts';

export interface SelectedXtsEngine {
  readonly engine: XtsEngine;
  /** Why the faster engine is not used; null when it is. */
  readonly fallbackReason: string | null;
}

let selected: SelectedXtsEngine | null = null;

/** The fastest engine that works here; chosen once per process. */
export const selectXtsEngine = (): SelectedXtsEngine => {
  if (selected === null) {
    const loaded = loadAddonEngine();
    selected =
      'engine' in loaded
        ? { engine: loaded.engine, fallbackReason: null }
        : { engine: nodeCryptoEngine, fallbackReason: loaded.unavailable };
  }
  return selected;
};
