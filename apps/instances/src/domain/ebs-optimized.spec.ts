import { describe, expect, it } from 'vitest';
import { ebsOptimization } from './ebs-optimized.ts';
import recorded from './ebs-optimized.json' with { type: 'json' };
import { allInstanceTypes, instanceType } from './instance-types.ts';

const of = (name: string) => ebsOptimization(instanceType(name) ?? { name, hypervisor: 'xen' });

describe('EBS optimization', () => {
  it.each([
    ['m5.large', 'default', [650, 4750, 3600, 18_750]],
    ['m4.16xlarge', 'default', [10_000, 10_000, 65_000, 65_000]],
    ['c3.xlarge', 'supported', [500, 500, 4000, 4000]],
    ['c3.8xlarge', 'unsupported', null],
    ['t2.micro', 'unsupported', null],
    ['t1.micro', 'unsupported', null],
  ] as const)('of %s is %s', (name, support, expected) => {
    const { performance, ...rest } = of(name);
    expect(rest.support).toBe(support);
    const { baselineMbps, maximumMbps, baselineIops, maximumIops } = performance ?? {};
    expect(performance && [baselineMbps, maximumMbps, baselineIops, maximumIops]).toEqual(expected);
  });

  it('is told of types that there are, and is nowhere less at its best than always', () => {
    const names = allInstanceTypes().map(({ name }) => name);
    for (const name of Object.keys(recorded)) {
      expect(names).toContain(name);
      const told = of(name).performance;
      if (told === null) throw new Error(`nothing of ${name}`);
      expect(told.maximumMbps).toBeGreaterThanOrEqual(told.baselineMbps);
      expect(told.maximumIops).toBeGreaterThanOrEqual(told.baselineIops);
      expect(Math.abs(told.baselineMBps - told.baselineMbps / 8)).toBeLessThan(0.1);
      expect(told.maximumMBps).toBe(told.maximumMbps / 8);
    }
  });
});
