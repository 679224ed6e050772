import { createHash } from 'node:crypto';
import { imageId, type ImageId, type Region } from '@holdfast/contracts';

export interface Image {
  imageId: ImageId;
  name: string;
  description: string;
  ownerId: string;
  ownerAlias: 'amazon';
  architecture: 'x86_64';
  /** ISO-8601. */
  creationDate: string;
}

/** The account that owns Amazon's own images. */
const AMAZON_ACCOUNT_ID = '137112412989';

/** One public image per Region, with a stable id. It has no root volume: nothing is booted from it. */
export const publicImage = (region: Region): Image => ({
  imageId: imageId(`ami-0${createHash('sha256').update(`holdfast-image-${region}`).digest('hex').slice(0, 16)}`),
  name: 'holdfast-minimal-x86_64',
  description: 'A machine that boots nothing and has block devices',
  ownerId: AMAZON_ACCOUNT_ID,
  ownerAlias: 'amazon',
  architecture: 'x86_64',
  creationDate: '2026-01-01T00:00:00.000Z',
});
