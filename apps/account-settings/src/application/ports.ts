import type { KeyArn, RequestContext } from '@holdfast/contracts';
import type { EbsEncryptionCommand, EbsEncryptionSettings } from '../domain/ebs-encryption.decider.ts';
import type { ImagePublicAccess, ImagePublicAccessCommand } from '../domain/image-public-access.decider.ts';
import type { SnapshotPublicAccess, SnapshotPublicAccessCommand } from '../domain/snapshot-public-access.decider.ts';

/** Streams of EBS encryption settings. */
export interface SettingsStreams {
  /** Repeating a setting is not an error. */
  handle(context: RequestContext, command: EbsEncryptionCommand): Promise<void>;
  read(context: RequestContext): Promise<EbsEncryptionSettings>;
}

/** Streams of block public access for snapshots. */
export interface PublicAccessStreams {
  /** Repeating a setting is not an error. */
  handle(context: RequestContext, command: SnapshotPublicAccessCommand): Promise<void>;
  read(place: Pick<RequestContext, 'accountId' | 'region'>): Promise<SnapshotPublicAccess>;
}

/** Streams of block public access for images. */
export interface ImagePublicAccessStreams {
  /** Repeating a setting is not an error. */
  handle(context: RequestContext, command: ImagePublicAccessCommand): Promise<void>;
  read(place: Pick<RequestContext, 'accountId' | 'region'>): Promise<ImagePublicAccess>;
}

export interface KmsKeys {
  /**
   * The key that an id, alias or ARN names, looked up as the caller through EC2.
   * @throws AwsError InvalidParameterValue when EBS cannot use it: absent, disabled, not symmetric.
   */
  usableKey(keyId: string, context: RequestContext): Promise<KeyArn>;
}
