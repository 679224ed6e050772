import { createHash } from 'node:crypto';
import { imageId, type Region } from '@holdfast/contracts';
import { AMAZON_ACCOUNT_ID, amazonSnapshot } from '@holdfast/ec2';
import type { AmazonImageProvided } from './image.events.ts';

const ROOT_DEVICE = '/dev/xvda';

const digits = (name: string) => createHash('sha256').update(name).digest('hex').slice(0, 16);

/** The public image of a Region: its root volume is empty, and nothing boots. Its id is always the same. */
export const amazonImage = (region: Region): Omit<AmazonImageProvided, 'type' | 'at'> => {
  const { snapshotId, volumeSizeGiB: sizeGiB } = amazonSnapshot(region);
  return {
    imageId: imageId(`ami-0${digits(`holdfast-ebs-image-${region}`)}`),
    ownerId: AMAZON_ACCOUNT_ID,
    region,
    name: 'holdfast-minimal-ebs-x86_64',
    description: 'A machine that boots nothing and has a root volume',
    architecture: 'x86_64',
    virtualizationType: 'hvm',
    enaSupport: true,
    sriovNetSupport: 'simple',
    bootMode: 'uefi-preferred',
    rootDeviceName: ROOT_DEVICE,
    devices: [
      { deviceName: ROOT_DEVICE, snapshotId, sizeGiB, volumeType: 'gp2', deleteOnTermination: true, encrypted: false },
    ],
    tags: {},
  };
};
