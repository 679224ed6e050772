/** A type's processors and memory. @see EC2 user guide, instance type specifications */
export interface InstanceResources {
  vcpus: number;
  threadsPerCore: 1 | 2;
  memoryMiB: number;
  architecture: 'x86_64' | 'arm64';
}

const GIB = 1024;

/** vCPUs by size, of families that double from `large` on. */
const VCPUS: Readonly<Record<string, number>> = {
  medium: 1,
  large: 2,
  xlarge: 4,
  '2xlarge': 8,
  '4xlarge': 16,
  '8xlarge': 32,
  '10xlarge': 40,
  '12xlarge': 48,
  '16xlarge': 64,
  '24xlarge': 96,
};

/** GiB by size, of the T families. */
const BURSTABLE_GIB: Readonly<Record<string, number>> = {
  nano: 0.5,
  micro: 1,
  small: 2,
  medium: 4,
  large: 8,
  xlarge: 16,
  '2xlarge': 32,
};

/** GiB for each vCPU. Families that are not named have their own table. */
const GIB_PER_VCPU: Readonly<Record<string, number>> = {
  ...Object.fromEntries(['c5', 'c5a', 'c5d', 'c6i', 'c6a', 'c7i', 'c6g', 'c7g', 'a1'].map((family) => [family, 2])),
  ...Object.fromEntries(['m4', 'm5', 'm5a', 'm5d', 'm6i', 'm6a', 'm7i', 'm6g', 'm7g'].map((family) => [family, 4])),
  ...Object.fromEntries(['r5', 'r5a', 'r5d', 'r6i', 'r7i', 'r6g', 'r7g', 'i3en', 'i4i'].map((family) => [family, 8])),
  ...Object.fromEntries(['r4', 'r3', 'i2'].map((family) => [family, 7.625])),
  ...Object.fromEntries(['c3', 'c4'].map((family) => [family, 1.875])),
  m3: 3.75,
};

/** vCPUs and MiB of types that follow no rule. */
const OTHERS: Readonly<Record<string, readonly [vcpus: number, memoryMiB: number]>> = {
  'c4.8xlarge': [36, 60 * GIB],
  'g2.2xlarge': [8, 15 * GIB],
  'g2.8xlarge': [32, 60 * GIB],
  'cr1.8xlarge': [32, 244 * GIB],
  't1.micro': [1, 627],
  'm1.small': [1, 1740],
  'm1.medium': [1, 3788],
  'm1.large': [2, 7680],
  'm1.xlarge': [4, 15 * GIB],
  'm2.xlarge': [2, 17_510],
  'm2.2xlarge': [4, 35_020],
  'm2.4xlarge': [8, 70_041],
  'c1.medium': [2, 1740],
  'c1.xlarge': [8, 7 * GIB],
  'cc2.8xlarge': [32, 60.5 * GIB],
  'cg1.4xlarge': [16, 22.5 * GIB],
  'hi1.4xlarge': [16, 60.5 * GIB],
  'hs1.8xlarge': [16, 117 * GIB],
};

const isArm = (family: string): boolean => family === 'a1' || /^(t4|[cmr][67])g$/.test(family);

const threadsOf = (family: string, vcpus: number): 1 | 2 =>
  isArm(family) || vcpus === 1 || /^(t[12]|m[12]|c1)$/.test(family) ? 1 : 2;

const burstable = (family: string, size: string): readonly [number, number] => {
  const small = family === 't2' && ['nano', 'micro', 'small'].includes(size);
  return [small ? 1 : Math.max(2, VCPUS[size] ?? 2), (BURSTABLE_GIB[size] ?? 0) * GIB];
};

/** @param name of a type that is known. @throws Error for one whose resources no table tells. */
export const resourcesOf = (name: string): InstanceResources => {
  const [family = '', size = ''] = name.split('.');
  const own = OTHERS[name] ?? (/^t[2-9]/.test(family) ? burstable(family, size) : undefined);
  const count = own?.[0] ?? VCPUS[size];
  const memoryMiB = own?.[1] ?? (count ?? 0) * (GIB_PER_VCPU[family] ?? 0) * GIB;
  if (count === undefined || memoryMiB === 0) throw new Error(`the processors and memory of ${name} are not known`);
  return {
    vcpus: count,
    threadsPerCore: threadsOf(family, count),
    memoryMiB,
    architecture: isArm(family) ? 'arm64' : 'x86_64',
  };
};
