/** What an attachment needs to know of an instance type. @see EC2 user guide, instance types; EBS encryption (2022) */
export interface InstanceType {
  name: string;
  hypervisor: 'nitro' | 'xen';
  /** Volumes that can be attached, the root volume included. */
  maximumEbsAttachments: number;
  /** Older types cannot use encrypted volumes: T1, M1, M2, C1, CC2, CG1, CR1 other than 8xlarge, HI1, HS1. */
  ebsEncryptionSupported: boolean;
}

const SIZES = {
  burstable: ['nano', 'micro', 'small', 'medium', 'large', 'xlarge', '2xlarge'],
  general: ['large', 'xlarge', '2xlarge', '4xlarge', '8xlarge', '12xlarge', '16xlarge', '24xlarge'],
  graviton: ['medium', 'large', 'xlarge', '2xlarge', '4xlarge', '8xlarge', '12xlarge', '16xlarge'],
} as const;

const NITRO_FAMILIES: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(['t3', 't3a', 't4g'].map((family) => [family, SIZES.burstable])),
  ...Object.fromEntries(
    [
      'm5',
      'm5a',
      'm5d',
      'm6i',
      'm6a',
      'm7i',
      'c5',
      'c5a',
      'c5d',
      'c6i',
      'c6a',
      'c7i',
      'r5',
      'r5a',
      'r5d',
      'r6i',
      'r7i',
      'i3en',
      'i4i',
    ].map((family) => [family, SIZES.general]),
  ),
  ...Object.fromEntries(['m6g', 'm7g', 'c6g', 'c7g', 'r6g', 'r7g'].map((family) => [family, SIZES.graviton])),
  a1: ['medium', 'large', 'xlarge', '2xlarge', '4xlarge'],
};

const XEN_FAMILIES: Readonly<Record<string, readonly string[]>> = {
  t2: SIZES.burstable,
  m4: ['large', 'xlarge', '2xlarge', '4xlarge', '10xlarge', '16xlarge'],
  c4: ['large', 'xlarge', '2xlarge', '4xlarge', '8xlarge'],
  r4: ['large', 'xlarge', '2xlarge', '4xlarge', '8xlarge', '16xlarge'],
  m3: ['medium', 'large', 'xlarge', '2xlarge'],
  c3: ['large', 'xlarge', '2xlarge', '4xlarge', '8xlarge'],
  r3: ['large', 'xlarge', '2xlarge', '4xlarge', '8xlarge'],
  i2: ['xlarge', '2xlarge', '4xlarge', '8xlarge'],
  g2: ['2xlarge', '8xlarge'],
  cr1: ['8xlarge'],
};

const WITHOUT_EBS_ENCRYPTION: Readonly<Record<string, readonly string[]>> = {
  t1: ['micro'],
  m1: ['small', 'medium', 'large', 'xlarge'],
  m2: ['xlarge', '2xlarge', '4xlarge'],
  c1: ['medium', 'xlarge'],
  cc2: ['8xlarge'],
  cg1: ['4xlarge'],
  hi1: ['4xlarge'],
  hs1: ['8xlarge'],
};

const typesOf = (families: Readonly<Record<string, readonly string[]>>, rest: Omit<InstanceType, 'name'>) =>
  Object.entries(families).flatMap(([family, sizes]) =>
    sizes.map((size): [string, InstanceType] => [`${family}.${size}`, { name: `${family}.${size}`, ...rest }]),
  );

const INSTANCE_TYPES: ReadonlyMap<string, InstanceType> = new Map([
  ...typesOf(NITRO_FAMILIES, { hypervisor: 'nitro', maximumEbsAttachments: 27, ebsEncryptionSupported: true }),
  ...typesOf(XEN_FAMILIES, { hypervisor: 'xen', maximumEbsAttachments: 40, ebsEncryptionSupported: true }),
  ...typesOf(WITHOUT_EBS_ENCRYPTION, { hypervisor: 'xen', maximumEbsAttachments: 39, ebsEncryptionSupported: false }),
]);

/** By name. */
export const allInstanceTypes = (): InstanceType[] =>
  [...INSTANCE_TYPES.values()].sort((a, b) => (a.name < b.name ? -1 : 1));

export const instanceType = (name: string): InstanceType | null => INSTANCE_TYPES.get(name) ?? null;
