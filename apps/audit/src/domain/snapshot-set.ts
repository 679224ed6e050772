import type { EbsEvent } from './ebs-events.ts';
import { envelope, type Notification, snapshotArn, toSecond, volumeArn } from './envelope.ts';
import type { EbsResource } from './notification.ts';

export type SetStatus = 'completed' | 'error';

/** The end of one of the snapshots that CreateSnapshots took at one moment. */
export interface MemberEnd {
  /** The first member's id: one name for all. */
  readonly set: string;
  readonly snapshotId: string;
  readonly status: SetStatus;
}

/** Null: the event ends no snapshot of a set. */
export const memberEnd = ({ id, members }: EbsResource, event: EbsEvent): MemberEnd | null => {
  const set = members?.[0]?.snapshotId;
  if (set === undefined || (event.type !== 'SnapshotCompleted' && event.type !== 'SnapshotFailed')) return null;
  return { set, snapshotId: id, status: event.type === 'SnapshotCompleted' ? 'completed' : 'error' };
};

/** Null: they have not all ended. @param member one of them, whose end was the last. */
export const setNotification = (
  { accountId, region, startedAt, members = [] }: EbsResource,
  ended: Readonly<Record<string, SetStatus>>,
  { requestId, at }: { readonly requestId: string; readonly at: string },
): Notification | null => {
  const [first] = members;
  if (first === undefined || !members.every(({ snapshotId }) => ended[snapshotId] !== undefined)) return null;
  const failed = members.find(({ snapshotId }) => ended[snapshotId] === 'error');
  const detail = {
    event: 'createSnapshots',
    result: failed === undefined ? 'succeeded' : 'failed',
    cause: failed === undefined ? '' : `Snapshot ${failed.snapshotId} is in status error`,
    'request-id': requestId,
    startTime: toSecond(startedAt),
    endTime: toSecond(at),
    snapshots: members.map(({ snapshotId, volumeId }) => ({
      snapshot_id: snapshotArn(region, snapshotId),
      source: volumeArn(accountId, region, volumeId),
      status: ended[snapshotId],
    })),
  };
  const resources = members.map(({ snapshotId }) => snapshotArn(region, snapshotId));
  const origin = { eventId: `set/${first.snapshotId}`, index: 0 };
  const about = { account: accountId, region, resources, detail, at };
  return envelope('EBS Multi-Volume Snapshots Completion Status', origin, about);
};
