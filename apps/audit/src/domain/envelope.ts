import { createHash } from 'node:crypto';

export type DetailType =
  | 'EBS Volume Notification'
  | 'EBS Snapshot Notification'
  | 'EBS Multi-Volume Snapshots Completion Status'
  | 'EBS Fast Snapshot Restore State-change Notification';

/** EventBridge's envelope. @see EventBridge user guide, Events; EBS user guide, EventBridge events for Amazon EBS */
export interface Notification {
  readonly version: '0';
  readonly id: string;
  readonly 'detail-type': DetailType;
  readonly source: 'aws.ec2';
  readonly account: string;
  /** UTC, to the second. */
  readonly time: string;
  readonly region: string;
  readonly resources: readonly string[];
  readonly detail: Readonly<Record<string, unknown>>;
}

export const volumeArn = (accountId: string, region: string, id: string): string =>
  `arn:aws:ec2:${region}:${accountId}:volume/${id}`;
export const snapshotArn = (region: string, id: string): string => `arn:aws:ec2:${region}::snapshot/${id}`;

export const toSecond = (instant: string): string => `${instant.slice(0, 19)}Z`;

/** The same for the same event, however often it is delivered; UUID version 8. */
const notificationId = (eventId: string, index: number): string => {
  const hex = createHash('sha256')
    .update(`${eventId}/${String(index)}`)
    .digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
};

/** @param origin of what it is made, with `index` among those that are made of the same. */
export const envelope = (
  detailType: DetailType,
  origin: { readonly eventId: string; readonly index: number },
  about: Pick<Notification, 'account' | 'region' | 'resources' | 'detail'> & { readonly at: string },
): Notification => {
  const { account, region, resources, detail, at } = about;
  return {
    version: '0',
    id: notificationId(origin.eventId, origin.index),
    'detail-type': detailType,
    source: 'aws.ec2',
    account,
    time: toSecond(at),
    region,
    resources,
    detail,
  };
};

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/** Where it is published: a token for everything that a subscriber may want to choose by. */
export const notificationSubject = ({ account, region, id, detail, ...rest }: Notification): string => {
  const detailType = rest['detail-type'];
  const kind = detailType === 'EBS Volume Notification' ? 'volume' : 'snapshot';
  const what =
    detailType === 'EBS Fast Snapshot Restore State-change Notification'
      ? `fastSnapshotRestore.${text(detail['state'])}`
      : `${text(detail['event'])}.${text(detail['result'])}`;
  return `notifications.${account}.${region}.ec2.${kind}.${what}.${id}`;
};
