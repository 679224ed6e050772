import { createHash } from 'node:crypto';
import { imageId, type ImageId, type Region } from '@holdfast/contracts';
import { AMAZON_ACCOUNT_ID, amazonSnapshot } from '@holdfast/ec2';
import type { BlockDevice } from './block-devices.ts';

export interface Image {
  imageId: ImageId;
  name: string;
  description: string;
  ownerId: string;
  ownerAlias: 'amazon';
  architecture: 'x86_64';
  /** ISO-8601. */
  creationDate: string;
  /** Null: there is no root volume, and nothing is booted. */
  rootDeviceName: string | null;
  blockDevices: readonly BlockDevice[];
}

const idOf = (name: string) => imageId(`ami-0${createHash('sha256').update(name).digest('hex').slice(0, 16)}`);

const amazons = { ownerId: AMAZON_ACCOUNT_ID, ownerAlias: 'amazon', architecture: 'x86_64' } as const;
const ROOT_DEVICE = '/dev/xvda';

/** The public images of a Region, with ids that stay: one without a root volume, and one whose root volume is empty. */
export const publicImages = (region: Region): Image[] => {
  const { snapshotId, volumeSizeGiB: sizeGiB } = amazonSnapshot(region);
  return [
    {
      ...amazons,
      imageId: idOf(`holdfast-image-${region}`),
      name: 'holdfast-minimal-x86_64',
      description: 'A machine that boots nothing and has block devices',
      creationDate: '2026-01-01T00:00:00.000Z',
      rootDeviceName: null,
      blockDevices: [],
    },
    {
      ...amazons,
      imageId: idOf(`holdfast-ebs-image-${region}`),
      name: 'holdfast-minimal-ebs-x86_64',
      description: 'A machine that boots nothing and has a root volume',
      creationDate: '2026-01-01T00:00:00.000Z',
      rootDeviceName: ROOT_DEVICE,
      blockDevices: [{ deviceName: ROOT_DEVICE, snapshotId, sizeGiB, volumeType: 'gp2', deleteOnTermination: true }],
    },
  ];
};

export const publicImage = (id: string, region: Region): Image | null =>
  publicImages(region).find(({ imageId: known }) => known === id) ?? null;
