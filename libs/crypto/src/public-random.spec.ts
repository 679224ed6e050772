import { expect, it } from 'vitest';
import { publicRandomBytes } from './public-random.ts';

it('gives bytes once, of every length, and leaves alone what it gave', () => {
  const seen = new Set<string>();
  const kept: { bytes: Buffer; hex: string }[] = [];
  for (let n = 0; n < 500; n++) {
    const length = [12, 16, 32, 8192, 8193][n % 5]!;
    const bytes = publicRandomBytes(length);
    expect(bytes).toHaveLength(length);
    const hex = bytes.toString('hex', 0, 32);
    kept.push({ bytes, hex });
    seen.add(hex);
  }
  expect(seen.size).toBe(500);
  expect(kept.every(({ bytes, hex }) => bytes.toString('hex', 0, 32) === hex)).toBe(true);
});
