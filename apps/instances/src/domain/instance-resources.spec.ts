import { describe, expect, it } from 'vitest';
import { resourcesOf } from './instance-resources.ts';
import { allInstanceTypes } from './instance-types.ts';

const GIB = 1024;

describe('the processors and memory of a type', () => {
  it.each([
    ['t2.nano', 1, 1, GIB / 2, 'x86_64'],
    ['t2.medium', 2, 1, 4 * GIB, 'x86_64'],
    ['t3.micro', 2, 2, GIB, 'x86_64'],
    ['t4g.2xlarge', 8, 1, 32 * GIB, 'arm64'],
    ['m5.large', 2, 2, 8 * GIB, 'x86_64'],
    ['c6g.medium', 1, 1, 2 * GIB, 'arm64'],
    ['r5.24xlarge', 96, 2, 768 * GIB, 'x86_64'],
    ['c4.8xlarge', 36, 2, 60 * GIB, 'x86_64'],
    ['r3.8xlarge', 32, 2, 244 * GIB, 'x86_64'],
    ['m3.medium', 1, 1, 3.75 * GIB, 'x86_64'],
    ['m1.small', 1, 1, 1740, 'x86_64'],
  ] as const)('are those of AWS: %s', (name, vcpus, threadsPerCore, memoryMiB, architecture) => {
    expect(resourcesOf(name)).toEqual({ vcpus, threadsPerCore, memoryMiB, architecture });
  });

  it('are known of every type, in whole MiB and cores', () => {
    for (const { name } of allInstanceTypes()) {
      const { vcpus, threadsPerCore, memoryMiB } = resourcesOf(name);
      expect([name, Number.isInteger(memoryMiB), Number.isInteger(vcpus / threadsPerCore)]).toEqual([name, true, true]);
    }
  });
});
