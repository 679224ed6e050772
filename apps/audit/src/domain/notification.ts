import { createHash } from 'node:crypto';
import type { EbsEvent } from './ebs-events.ts';

/** What later notifications say about a volume or snapshot, from its first event. */
export interface EbsResource {
  readonly kind: 'volume' | 'snapshot';
  readonly id: string;
  readonly accountId: string;
  readonly region: string;
  /** ARN of the key or alias; of a volume it is what was asked for until the key is known. Null: none. */
  readonly keyArn: string | null;
  /** Of a snapshot: the ARN of what it is made from, and how. */
  readonly source: string | null;
  readonly isCopy: boolean;
  readonly startedAt: string;
}

/** EventBridge's envelope. @see EventBridge user guide, Events; EBS user guide, EventBridge events for Amazon EBS */
export interface Notification {
  readonly version: '0';
  readonly id: string;
  readonly 'detail-type': 'EBS Volume Notification' | 'EBS Snapshot Notification';
  readonly source: 'aws.ec2';
  readonly account: string;
  /** UTC, to the second. */
  readonly time: string;
  readonly region: string;
  readonly resources: readonly string[];
  readonly detail: Readonly<Record<string, string>> & { readonly event: string; readonly result: string };
}

/** An event and on whose request it came about. */
export interface Happened {
  readonly eventId: string;
  readonly requestId: string;
  readonly data: EbsEvent;
}

const volumeArn = (accountId: string, region: string, id: string): string =>
  `arn:aws:ec2:${region}:${accountId}:volume/${id}`;
const snapshotArn = (region: string, id: string): string => `arn:aws:ec2:${region}::snapshot/${id}`;

/** A KmsKeyId may be an id, an alias or an ARN of either. */
const asKeyArn = (keyId: string, accountId: string, region: string): string => {
  if (keyId.startsWith('arn:')) return keyId;
  return `arn:aws:kms:${region}:${accountId}:${keyId.startsWith('alias/') ? keyId : `key/${keyId}`}`;
};

/** KMS's refusals name the key. */
const keyArnIn = (cause: string): string | null => /arn:aws:kms:[a-z0-9-]+:\d{12}:key\/[\w-]+/.exec(cause)?.[0] ?? null;

const newVolume = (event: Extract<EbsEvent, { type: 'VolumeCreated' }>): EbsResource => {
  const { volumeId: id, accountId, region, encryption, at } = event;
  const keyArn = encryption === null ? null : asKeyArn(encryption.kmsKeyId, accountId, region);
  return { kind: 'volume', id, accountId, region, keyArn, source: null, isCopy: false, startedAt: at };
};

const newSnapshot = (event: Extract<EbsEvent, { type: 'SnapshotStarted' | 'SnapshotCopyStarted' }>): EbsResource => {
  const { snapshotId: id, ownerId: accountId, region, at: startedAt } = event;
  const isCopy = event.type === 'SnapshotCopyStarted';
  const source = isCopy
    ? snapshotArn(event.source.region, event.source.snapshotId)
    : volumeArn(accountId, region, event.volumeId);
  return { kind: 'snapshot', id, accountId, region, keyArn: null, source, isCopy, startedAt };
};

/** What is known of the resource after an event. Null: nothing more can be said of it, or nothing was known. */
export const afterwards = (known: EbsResource | null, event: EbsEvent): EbsResource | null => {
  switch (event.type) {
    case 'VolumeCreated':
      return newVolume(event);
    case 'SnapshotStarted':
    case 'SnapshotCopyStarted':
      return newSnapshot(event);
    case 'VolumeDataKeyObtained':
      return known && { ...known, keyArn: event.dataKey.keyArn };
    case 'VolumeCreationFailed':
    case 'VolumeDeleted':
    case 'SnapshotDeleted':
      return null;
    default:
      return known;
  }
};

const toSecond = (instant: string): string => `${instant.slice(0, 19)}Z`;

/** The same for the same event, however often it is delivered; UUID version 8. */
const notificationId = (eventId: string, index: number): string => {
  const hex = createHash('sha256')
    .update(`${eventId}/${String(index)}`)
    .digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
};

interface Outcome {
  readonly event: string;
  readonly result: string;
  readonly cause?: string;
  readonly keyArn?: string | null;
  /** Who is told, where that is not the owner. */
  readonly account?: string;
}

const volumeOutcomes = (volume: EbsResource, event: EbsEvent): Outcome[] => {
  switch (event.type) {
    case 'VolumeProvisioned':
      return [{ event: 'createVolume', result: 'available' }];
    case 'VolumeCreationFailed': {
      const { cause } = event;
      // EC2 says of a volume that never came to be that it was deleted, too, and not why.
      return [
        { event: 'createVolume', result: 'failed', cause, keyArn: keyArnIn(cause) ?? volume.keyArn },
        { event: 'deleteVolume', result: 'deleted' },
      ];
    }
    case 'VolumeDeleted':
      return [{ event: 'deleteVolume', result: 'deleted' }];
    case 'AttachmentFailed':
      return [{ event: 'attachVolume', result: 'failed', cause: event.cause, keyArn: volume.keyArn }];
    case 'ModificationTookEffect':
      return [{ event: 'modifyVolume', result: 'optimizing' }];
    case 'ModificationCompleted':
      return [{ event: 'modifyVolume', result: 'completed' }];
    default:
      return [];
  }
};

const snapshotOutcomes = ({ isCopy }: EbsResource, event: EbsEvent): Outcome[] => {
  const made = isCopy ? 'copySnapshot' : 'createSnapshot';
  switch (event.type) {
    case 'SnapshotCompleted':
      return [{ event: made, result: 'succeeded' }];
    case 'SnapshotFailed':
      return [{ event: made, result: 'failed', cause: event.cause }];
    case 'SnapshotShared':
      return event.accounts.map((account) => ({ event: 'shareSnapshot', result: 'succeeded', account }));
    default:
      return [];
  }
};

const snapshotDetail = (snapshot: EbsResource, { account }: Outcome, at: string): Record<string, string> => ({
  snapshot_id: snapshotArn(snapshot.region, snapshot.id),
  source: account === undefined ? (snapshot.source ?? '') : snapshot.accountId,
  startTime: toSecond(snapshot.startedAt),
  endTime: toSecond(at),
});

/** What is told of an event; nothing of most. @param resource as it was known before the event. */
export const notificationsOf = (resource: EbsResource, { eventId, requestId, data }: Happened): Notification[] => {
  const { kind, id, accountId, region } = resource;
  const isVolume = kind === 'volume';
  const arn = isVolume ? volumeArn(accountId, region, id) : snapshotArn(region, id);
  const outcomes = isVolume ? volumeOutcomes(resource, data) : snapshotOutcomes(resource, data);
  return outcomes.map((outcome, index) => {
    const { event, result, cause = '', keyArn = null, account = accountId } = outcome;
    return {
      version: '0',
      id: notificationId(eventId, index),
      'detail-type': isVolume ? 'EBS Volume Notification' : 'EBS Snapshot Notification',
      source: 'aws.ec2',
      account,
      time: toSecond(data.at),
      region,
      resources: keyArn === null ? [arn] : [arn, keyArn],
      detail: {
        ...{ event, result, cause, 'request-id': requestId },
        ...(isVolume ? {} : snapshotDetail(resource, outcome, data.at)),
      },
    };
  });
};

/** Where it is published: a token for everything that a subscriber may want to choose by. */
export const notificationSubject = ({ account, region, id, detail, ...rest }: Notification): string => {
  const kind = rest['detail-type'] === 'EBS Volume Notification' ? 'volume' : 'snapshot';
  return `notifications.${account}.${region}.ec2.${kind}.${detail.event}.${detail.result}.${id}`;
};
