// Vitest compares buffers as it compares objects, key by key: two seconds for a megabyte that `memcmp` does in one thousandth.
import { expect } from 'vitest';

expect.addEqualityTesters([
  (one: unknown, other: unknown): boolean | undefined => {
    if (!(one instanceof Uint8Array && other instanceof Uint8Array)) return undefined;
    // Of two classes: whether they are the same is for the matcher to say.
    if (one.constructor !== other.constructor) return undefined;
    return Buffer.compare(one, other) === 0;
  },
]);
