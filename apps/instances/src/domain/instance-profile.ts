import type { Instant } from '@holdfast/contracts';

/** As IAM knows it; an instance keeps what it was when they came together. */
export interface InstanceProfile {
  arn: string;
  id: string;
}

/** One instance's profile. An instance has one at most, and each time it gets one under another association. */
export interface ProfileAssociation extends InstanceProfile {
  /** `iip-assoc-` and 17 hexadecimal digits. */
  associationId: string;
}

export interface DatedProfileAssociation extends ProfileAssociation {
  at: Instant;
}
