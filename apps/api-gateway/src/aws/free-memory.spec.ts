import { expect, it } from 'vitest';
import { freeMemory } from './free-memory.ts';

it('frees memory that is all of a buffer’s, and no other', () => {
  const whole = Buffer.allocUnsafeSlow(65_536);
  freeMemory(whole);
  expect(whole.length).toBe(0);
  const part = Buffer.allocUnsafeSlow(65_536).subarray(0, 100);
  freeMemory(part);
  expect([part.length, part.buffer.byteLength]).toEqual([100, 65_536]);
});
