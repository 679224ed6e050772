import { expect } from 'vitest';

/** Longest wait for what other processes do; reached only when it does not happen, or the machine is very busy. */
const PATIENCE_MS = 60_000;

/** `expect.poll` with patience for a busy machine. */
export const eventually = <Value>(read: () => Value | Promise<Value>) => expect.poll(read, { timeout: PATIENCE_MS });
