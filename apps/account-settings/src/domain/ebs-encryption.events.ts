import type { Instant, KeyArn } from '@holdfast/contracts';

/** The EBS encryption settings of one account in one Region; stream `ebs-encryption-<account>-<Region>`. */
export type EbsEncryptionEvent =
  | { type: 'EncryptionByDefaultEnabled'; at: Instant }
  | { type: 'EncryptionByDefaultDisabled'; at: Instant }
  | { type: 'DefaultKmsKeyChanged'; keyArn: KeyArn; at: Instant }
  /** Back to the AWS managed key, `alias/aws/ebs`. */
  | { type: 'DefaultKmsKeyReset'; at: Instant };
