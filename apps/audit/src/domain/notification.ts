import type { EbsEvent } from './ebs-events.ts';
import { envelope, type Notification, snapshotArn, toSecond, volumeArn } from './envelope.ts';

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
  /** Of a copy: whether it takes blocks over from what was there before. */
  readonly incremental?: boolean;
  /** Of a snapshot that was taken with others at one moment: all of them. */
  readonly members?: readonly { readonly snapshotId: string; readonly volumeId: string }[];
  readonly startedAt: string;
  /** Of a snapshot: when its latest way into the archive tier, or out of it, began. */
  readonly tierStartedAt?: string;
}

/** An event and on whose request it came about. */
export interface Happened {
  readonly eventId: string;
  readonly requestId: string;
  readonly data: EbsEvent;
}

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
  const known = { kind: 'snapshot', id, accountId, region, keyArn: null, source, isCopy, startedAt } as const;
  if (!isCopy) return { ...known, ...(event.set === undefined ? {} : { members: event.set }) };
  // Blocks without a key are the same ones on both sides.
  const incremental = event.keyArn === null && event.source.dataKey === null && event.source.region === region;
  return { ...known, incremental };
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
    case 'PreviousCopyChosen':
      return known && { ...known, incremental: true };
    case 'SnapshotArchivalStarted':
    case 'TierRestoreStarted':
      return known && { ...known, tierStartedAt: event.at };
    case 'VolumeCreationFailed':
    case 'VolumeDeleted':
    case 'SnapshotDeleted':
      return null;
    default:
      return known;
  }
};

interface Outcome {
  readonly event: string;
  readonly result: string;
  readonly cause?: string;
  readonly keyArn?: string | null;
  /** Who is told, where that is not the owner. */
  readonly account?: string;
  /** What the detail has besides, or instead. */
  readonly more?: Readonly<Record<string, string | undefined>>;
}

const volumeOutcomes = (volume: EbsResource, event: EbsEvent): Outcome[] => {
  switch (event.type) {
    case 'VolumeProvisioned':
      return [{ event: 'createVolume', result: 'available' }];
    case 'VolumeInitialized':
      // EC2 gives no cause here, not even an empty one.
      return [
        {
          event: 'initializeVolume',
          result: 'succeeded',
          more: { cause: undefined, completionTime: toSecond(event.at) },
        },
      ];
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
    case 'ReattachmentFailed':
      return [{ event: 'reattachVolume', result: 'failed', cause: event.cause, keyArn: volume.keyArn }];
    case 'ModificationTookEffect':
      return [{ event: 'modifyVolume', result: 'optimizing' }];
    case 'ModificationCompleted':
      return [{ event: 'modifyVolume', result: 'completed' }];
    case 'ModificationFailed':
      return [{ event: 'modifyVolume', result: 'failed', cause: event.cause }];
    default:
      return [];
  }
};

/** @see EBS user guide, Monitor snapshot archiving */
const tierOutcomes = ({ tierStartedAt, startedAt }: EbsResource, event: EbsEvent): Outcome[] => {
  const times = { source: undefined, startTime: toSecond(tierStartedAt ?? startedAt) };
  switch (event.type) {
    case 'SnapshotArchived':
      return [{ event: 'archiveSnapshot', result: 'succeeded', more: times }];
    case 'SnapshotArchivalFailed':
      return [{ event: 'archiveSnapshot', result: 'failed', cause: event.cause, more: times }];
    case 'TierRestoreCompleted': {
      const expiry = event.expiresAt === null ? {} : { restoreExpiryTime: toSecond(event.expiresAt) };
      return [{ event: 'restoreSnapshot', result: 'succeeded', more: { ...times, ...expiry } }];
    }
    case 'TierRestoreFailed':
      return [{ event: 'restoreSnapshot', result: 'failed', cause: event.cause, more: times }];
    case 'TierRestoreExpired':
      return [{ event: 'restoreExpiry', result: 'succeeded', more: times }];
    default:
      return [];
  }
};

const snapshotOutcomes = (snapshot: EbsResource, event: EbsEvent): Outcome[] => {
  const made = snapshot.isCopy ? 'copySnapshot' : 'createSnapshot';
  switch (event.type) {
    case 'SnapshotCompleted':
      return [{ event: made, result: 'succeeded' }];
    case 'SnapshotFailed':
      return [{ event: made, result: 'failed', cause: event.cause }];
    case 'SnapshotShared':
      return event.accounts.map((account) => ({ event: 'shareSnapshot', result: 'succeeded', account }));
    default:
      return tierOutcomes(snapshot, event);
  }
};

const snapshotDetail = (
  snapshot: EbsResource,
  { account, event, result }: Outcome,
  at: string,
): Record<string, string> => ({
  snapshot_id: snapshotArn(snapshot.region, snapshot.id),
  source: account === undefined ? (snapshot.source ?? '') : snapshot.accountId,
  startTime: toSecond(snapshot.startedAt),
  endTime: toSecond(at),
  ...(event === 'copySnapshot' && result === 'succeeded'
    ? { Incremental: String(snapshot.incremental ?? false), transferType: 'standard' }
    : {}),
});

/** What is told of an event; nothing of most. @param resource as it was known before the event. */
export const notificationsOf = (resource: EbsResource, { eventId, requestId, data }: Happened): Notification[] => {
  const { kind, id, accountId, region } = resource;
  const isVolume = kind === 'volume';
  const arn = isVolume ? volumeArn(accountId, region, id) : snapshotArn(region, id);
  const outcomes = isVolume ? volumeOutcomes(resource, data) : snapshotOutcomes(resource, data);
  return outcomes.map((outcome, index) => {
    const { event, result, cause = '', keyArn = null, account = accountId, more = {} } = outcome;
    const detail = {
      ...{ event, result, cause, 'request-id': requestId },
      ...(isVolume ? {} : snapshotDetail(resource, outcome, data.at)),
      ...more,
    };
    return envelope(
      isVolume ? 'EBS Volume Notification' : 'EBS Snapshot Notification',
      { eventId, index },
      {
        ...{ account, region, at: data.at },
        resources: keyArn === null ? [arn] : [arn, keyArn],
        detail: Object.fromEntries(Object.entries(detail).filter(([, value]) => value !== undefined)),
      },
    );
  });
};
