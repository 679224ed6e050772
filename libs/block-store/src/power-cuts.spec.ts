import { describe, expect, it } from 'vitest';
import { PowerCutLife } from './testing/power-cuts.ts';

/** `HOLDFAST_POWER_CUT_ROUNDS=10000 npx vitest run --project unit libs/block-store/src/power-cuts.spec.ts` after changing anything. */
const ROUNDS = Number(process.env['HOLDFAST_POWER_CUT_ROUNDS'] ?? 200);
const FIRST_SEED = Number(process.env['HOLDFAST_POWER_CUT_SEED'] ?? 1);
const ROUNDS_PER_LIFE = 25;

describe('a volume whose host loses its power at any moment', () => {
  it(`keeps what was flushed, over ${ROUNDS} rounds`, { timeout: 60_000 + ROUNDS * 500 }, async () => {
    expect(ROUNDS).toBeGreaterThan(0);
    for (let done = 0, seed = FIRST_SEED; done < ROUNDS; done += ROUNDS_PER_LIFE, seed++) {
      const life = new PowerCutLife(seed);
      try {
        await life.run(Math.min(ROUNDS_PER_LIFE, ROUNDS - done));
      } finally {
        life.close();
      }
    }
  });

  it('is found out when syncs do nothing', async () => {
    const life = new PowerCutLife(FIRST_SEED, { forgetsSyncs: true });
    await expect(life.run(50)).rejects.toThrow('is none of what it may be after power');
    life.close();
  });
});
