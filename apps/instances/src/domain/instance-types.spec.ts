import { describe, expect, expectTypeOf, it } from 'vitest';
import type { ec2 } from '@holdfast/aws-protocol';
import recorded from './instance-types.json' with { type: 'json' };
import { allInstanceTypes, instanceType } from './instance-types.ts';

const GIB = 1024;

const named = (name: string) => {
  const type = instanceType(name);
  if (type === null) throw new Error(`no ${name}`);
  return type;
};

describe('instance types', () => {
  it.each([
    ['c5.9xlarge', 'nitro', 36, 18, 72 * GIB, ['x86_64'], 27],
    ['m5.metal', 'nitro', 96, 48, 384 * GIB, ['x86_64'], 31],
    ['m5.large', 'nitro', 2, 1, 8 * GIB, ['x86_64'], 27],
    ['t3.micro', 'nitro', 2, 1, GIB, ['x86_64'], 27],
    ['t4g.2xlarge', 'nitro', 8, 8, 32 * GIB, ['arm64'], 27],
    ['m7g.medium', 'nitro', 1, 1, 4 * GIB, ['arm64'], 27],
    ['m7i.large', 'nitro', 2, 1, 8 * GIB, ['x86_64'], 32],
    ['m8g.large', 'nitro', 2, 2, 8 * GIB, ['arm64'], 32],
    ['p3.2xlarge', 'xen', 8, 4, 61 * GIB, ['x86_64'], 26],
    ['d2.xlarge', 'xen', 4, 2, 30.5 * GIB, ['x86_64'], 40],
    ['x1e.32xlarge', 'xen', 128, 64, 3904 * GIB, ['x86_64'], 40],
    ['mac1.metal', 'nitro', 12, 6, 32 * GIB, ['x86_64_mac'], 16],
    ['cr1.8xlarge', 'xen', 32, 16, 244 * GIB, ['x86_64'], 40],
    ['m1.small', 'xen', 1, 1, 1740, ['i386', 'x86_64'], 39],
  ] as const)('are as AWS tells: %s', (name, hypervisor, vcpus, cores, memoryMiB, architectures, volumes) => {
    expect(named(name)).toMatchObject({ name, hypervisor, vcpus, cores, memoryMiB, architectures });
    expect(named(name).maximumEbsAttachments).toBe(volumes);
  });

  it('are each known in whole: processors, memory, volumes', () => {
    for (const type of allInstanceTypes()) {
      const { vcpus, threadsPerCore, memoryMiB, maximumEbsAttachments, architectures } = type;
      const told = [vcpus, memoryMiB, maximumEbsAttachments].every((value) => Number.isInteger(value) && value > 0);
      expect([type.name, told, [1, 2].includes(threadsPerCore)]).toEqual([type.name, true, true]);
      expect([type.name, architectures.length > 0]).toEqual([type.name, true]);
    }
  });

  it('are none that AWS does not have', () => {
    expect(allInstanceTypes().map(({ name }) => name)).toEqual(Object.keys(recorded).sort());
    expectTypeOf<keyof typeof recorded>().toExtend<ec2.InstanceTypeInfo['InstanceType']>();
    const made = [
      'c5.8xlarge',
      'c5.16xlarge',
      'c5d.8xlarge',
      'c5d.16xlarge',
      'i3en.4xlarge',
      'i3en.8xlarge',
      'x9.nano',
    ];
    expect(made.map(instanceType)).toEqual(made.map(() => null));
  });

  it('differ in what runs under them', () => {
    expect(named('m5.metal')).toMatchObject({ bareMetal: true, nvmeSupport: 'required', burstable: false });
    expect(named('i3.large')).toMatchObject({ bareMetal: false, nvmeSupport: 'supported', hypervisor: 'xen' });
    expect(named('t2.micro')).toMatchObject({ burstable: true, currentGeneration: true, nvmeSupport: 'unsupported' });
    expect(named('m3.medium').virtualizationTypes).toEqual(['hvm', 'paravirtual']);
    expect(named('m3.medium').currentGeneration).toBe(false);
    expect([named('m6i.large'), named('m7i.large')].map((type) => type.attachmentLimitType)).toEqual([
      'shared',
      'dedicated',
    ]);
  });
});

describe('encryption of volumes', () => {
  const families = (supported: boolean) => {
    const types = allInstanceTypes().filter((type) => type.ebsEncryptionSupported === supported);
    return new Set(types.map(({ name }) => name.replace(/\..*/, '')));
  };

  it('is for every type but the old families of the guide of 2022', () => {
    expect([...families(false)].sort()).toEqual(['c1', 'cc1', 'cc2', 'cg1', 'hi1', 'hs1', 'm1', 'm2', 't1']);
    for (const family of families(false)) expect(families(true)).not.toContain(family);
  });

  it.each(['a1', 'c3', 'cr1', 'g2', 'i2', 'm3', 'r3'])('is for %s, of the previous generation', (family) => {
    expect(families(true)).toContain(family);
  });
});

describe('EBS optimization', () => {
  it.each([
    ['m5.large', 'default', [650, 4750, 3600, 18_750]],
    ['m4.16xlarge', 'default', [10_000, 10_000, 65_000, 65_000]],
    ['c3.xlarge', 'supported', [500, 500, 4000, 4000]],
    ['g2.2xlarge', 'supported', [1000, 1000, 8000, 8000]],
    ['c3.8xlarge', 'unsupported', null],
    ['t2.micro', 'unsupported', null],
    ['t1.micro', 'unsupported', null],
  ] as const)('of %s is %s', (name, support, expected) => {
    const { ebsOptimizedSupport, ebsOptimized } = named(name);
    expect(ebsOptimizedSupport).toBe(support);
    const { baselineMbps, maximumMbps, baselineIops, maximumIops } = ebsOptimized ?? {};
    expect(ebsOptimized && [baselineMbps, maximumMbps, baselineIops, maximumIops]).toEqual(expected);
  });

  it('is nowhere less at its best than always', () => {
    for (const { name, ebsOptimized } of allInstanceTypes()) {
      if (ebsOptimized === null) continue;
      const { baselineMbps, maximumMbps, baselineMBps, baselineIops, maximumIops } = ebsOptimized;
      const sound = maximumMbps >= baselineMbps && maximumIops >= baselineIops && baselineMbps > 0 && baselineIops > 0;
      expect([name, sound, Math.abs(baselineMBps - baselineMbps / 8) < 0.15]).toEqual([name, true, true]);
    }
  });

  it('tells throughput as AWS does, where that is not an eighth of the bandwidth', () => {
    expect(named('i3en.large').ebsOptimized).toMatchObject({ baselineMbps: 576, baselineMBps: 72.1 });
    expect(named('a1.medium').ebsOptimized).toMatchObject({ baselineMBps: 37.5, maximumMBps: 437.5 });
  });
});
