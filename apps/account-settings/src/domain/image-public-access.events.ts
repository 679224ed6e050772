import type { Instant } from '@holdfast/contracts';

/** Block public access for images, of one account in one Region; stream `image-public-access-<account>-<Region>`. */
export type ImagePublicAccessEvent =
  /** Images that are public already stay so. */
  { type: 'ImagePublicAccessBlocked'; at: Instant } | { type: 'ImagePublicAccessUnblocked'; at: Instant };
