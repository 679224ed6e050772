import { randomBytes } from 'node:crypto';

type Branded<Name extends string> = string & { readonly __brand: Name };

/** 12 decimal digits. */
export type AccountId = Branded<'AccountId'>;
/** An AWS Region's name, e.g. `eu-central-1`. */
export type Region = Branded<'Region'>;
/** `vol-` and 17 lowercase hexadecimal digits; likewise the other EC2 ids below. */
export type VolumeId = Branded<'VolumeId'>;
export type SnapshotId = Branded<'SnapshotId'>;
export type InstanceId = Branded<'InstanceId'>;
export type ImageId = Branded<'ImageId'>;
/** `arn:aws:kms:<region>:<account>:key/<uuid>`. */
export type KeyArn = Branded<'KeyArn'>;
/** ISO-8601 in UTC with milliseconds, as `Date.prototype.toISOString` writes it. */
export type Instant = Branded<'Instant'>;

const parser =
  <Id extends string>(name: string, pattern: RegExp) =>
  (text: string): Id => {
    if (!pattern.test(text)) throw new TypeError(`not ${name}: ${JSON.stringify(text)}`);
    return text as Id;
  };

export const accountId = parser<AccountId>('an account id', /^\d{12}$/);
export const region = parser<Region>('a Region', /^[a-z]{2}(-[a-z]+)+-\d$/);
export const keyArn = parser<KeyArn>('a key ARN', /^arn:aws:kms:[a-z0-9-]+:\d{12}:key\/[a-z0-9-]+$/);
export const instant = (at: Date): Instant => at.toISOString() as Instant;

/** Eight digits are the legacy form; AWS refuses a body of zeros for volumes and snapshots. */
const ec2Id = (prefix: string) => new RegExp(`^${prefix}-(?!0+$)(?:[0-9a-f]{8}|[0-9a-f]{17})$`);
export const volumeId = parser<VolumeId>('a volume id', ec2Id('vol'));
export const snapshotId = parser<SnapshotId>('a snapshot id', ec2Id('snap'));
export const instanceId = parser<InstanceId>('an instance id', ec2Id('i'));
export const imageId = parser<ImageId>('an image id', ec2Id('ami'));

const newEc2Id = (prefix: string) => `${prefix}-0${randomBytes(8).toString('hex')}`;
export const newVolumeId = () => newEc2Id('vol') as VolumeId;
export const newSnapshotId = () => newEc2Id('snap') as SnapshotId;
export const newInstanceId = () => newEc2Id('i') as InstanceId;
export const newImageId = () => newEc2Id('ami') as ImageId;
export const newKeyPairId = () => newEc2Id('key');
export const newProfileAssociationId = () => newEc2Id('iip-assoc');
export const newReservationId = () => newEc2Id('r');
