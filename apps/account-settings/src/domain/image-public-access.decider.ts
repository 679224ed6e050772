import type { Instant } from '@holdfast/contracts';
import { assertNever, type Decider } from '@holdfast/decider';
import type { ImagePublicAccessEvent } from './image-public-access.events.ts';

export type ImagePublicAccessCommand =
  { type: 'BlockImagePublicAccess'; at: Instant } | { type: 'UnblockImagePublicAccess'; at: Instant };

export type ImagePublicAccess = 'block-new-sharing' | 'unblocked';

const evolve = (_: ImagePublicAccess, event: ImagePublicAccessEvent): ImagePublicAccess => {
  switch (event.type) {
    case 'ImagePublicAccessBlocked':
      return 'block-new-sharing';
    case 'ImagePublicAccessUnblocked':
      return 'unblocked';
    default:
      return assertNever(event);
  }
};

/** Setting it to what it is changes nothing. */
const decide = (
  { type, at }: ImagePublicAccessCommand,
  state: ImagePublicAccess,
): readonly ImagePublicAccessEvent[] => {
  switch (type) {
    case 'BlockImagePublicAccess':
      return state === 'block-new-sharing' ? [] : [{ type: 'ImagePublicAccessBlocked', at }];
    case 'UnblockImagePublicAccess':
      return state === 'unblocked' ? [] : [{ type: 'ImagePublicAccessUnblocked', at }];
    default:
      return assertNever(type);
  }
};

/** Blocked until its account says otherwise. @see Amazon EC2 user guide, "Understand block public access for AMIs" */
export const imagePublicAccessDecider: Decider<ImagePublicAccessCommand, ImagePublicAccessEvent, ImagePublicAccess> = {
  initialState: 'block-new-sharing',
  evolve,
  decide,
};
