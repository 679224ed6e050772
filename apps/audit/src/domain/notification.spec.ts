import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { EBS_EVENTS, type EbsEvent } from './ebs-events.ts';
import { type Notification, notificationSubject } from './envelope.ts';
import { fastRestoreNews } from './fast-restore-notifications.ts';
import { afterwards, type EbsResource, notificationsOf } from './notification.ts';
import { memberEnd, setNotification } from './snapshot-set.ts';

const VOLUME = 'vol-0123456789abcdef0';
const ARN = `arn:aws:ec2:eu-central-1:111122223333:volume/${VOLUME}`;
const KEY = 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';
const at = '2026-01-31T12:00:00.123Z';
const of = { volumeId: VOLUME, at };

const created = (kmsKeyId?: string): EbsEvent => ({
  ...{ type: 'VolumeCreated', ...of, accountId: '111122223333', region: 'eu-central-1' },
  encryption: kmsKeyId === undefined ? null : { kmsKeyId },
});

/** What is known after these events. */
const knownAfter = (...events: EbsEvent[]): EbsResource => {
  const known = events.reduce<EbsResource | null>(afterwards, null);
  if (known === null) throw new Error('nothing is known');
  return known;
};

/** What is told of the last of these events. */
const told = (...events: EbsEvent[]): Notification[] => {
  let known: EbsResource | null = null;
  let last: Notification[] = [];
  events.forEach((data, index) => {
    const happened = { eventId: `e${String(index)}`, requestId: 'request-1', data };
    last = known === null ? [] : notificationsOf(known, happened);
    known = afterwards(known, data);
  });
  return last;
};

describe('volumes', () => {
  it('tells of a new volume when it is available', () => {
    expect(told(created(), { type: 'VolumeProvisioned', ...of })).toEqual([
      {
        version: '0',
        id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/) as string,
        'detail-type': 'EBS Volume Notification',
        source: 'aws.ec2',
        account: '111122223333',
        time: '2026-01-31T12:00:00Z',
        region: 'eu-central-1',
        resources: [ARN],
        detail: { event: 'createVolume', result: 'available', cause: '', 'request-id': 'request-1' },
      },
    ]);
  });

  it('tells why a volume failed, of which key, and then that it is deleted', () => {
    const failed = { type: 'VolumeCreationFailed', ...of, cause: `${KEY} is disabled.` } as const;
    const [failure, deletion] = told(created('alias/data'), failed);
    expect(failure).toMatchObject({
      resources: [ARN, KEY],
      detail: { event: 'createVolume', result: 'failed', cause: `${KEY} is disabled.`, 'request-id': 'request-1' },
    });
    expect(deletion).toMatchObject({
      resources: [ARN],
      detail: { event: 'deleteVolume', result: 'deleted', cause: '', 'request-id': 'request-1' },
    });
    expect(failure?.id).not.toBe(deletion?.id);
  });

  it.each([
    ['alias/gone', 'arn:aws:kms:eu-central-1:111122223333:alias/gone'],
    ['1234', 'arn:aws:kms:eu-central-1:111122223333:key/1234'],
    [KEY, KEY],
  ])('names the key %s that was asked for when the cause names none', (kmsKeyId, arn) => {
    const [failure] = told(created(kmsKeyId), { type: 'VolumeCreationFailed', ...of, cause: 'Alias is not found.' });
    expect(failure?.resources).toEqual([ARN, arn]);
  });

  it('tells why a volume could not be attached', () => {
    const [failure] = told(
      created('alias/data'),
      { type: 'VolumeDataKeyObtained', ...of, dataKey: { keyArn: KEY } },
      { type: 'AttachmentFailed', ...of, instanceId: 'i-1', cause: 'is pending deletion.' },
    );
    expect(failure).toMatchObject({
      resources: [ARN, KEY],
      detail: { event: 'attachVolume', result: 'failed', cause: 'is pending deletion.' },
    });
  });

  it('tells why a device did not open when its instance was started again', () => {
    const failed = {
      type: 'ReattachmentFailed',
      ...of,
      instanceId: 'i-1',
      requestId: 'r',
      cause: 'is disabled.',
    } as const;
    expect(told(created(KEY), failed)).toMatchObject([
      { resources: [ARN, KEY], detail: { event: 'reattachVolume', result: 'failed', cause: 'is disabled.' } },
    ]);
  });

  it.each([
    ['ModificationTookEffect', 'modifyVolume', 'optimizing'],
    ['ModificationCompleted', 'modifyVolume', 'completed'],
    ['VolumeDeleted', 'deleteVolume', 'deleted'],
  ] as const)('tells of %s as %s %s', (type, event, result) => {
    expect(told(created(), { type, ...of })).toMatchObject([{ detail: { event, result } }]);
  });

  it('tells why a modification failed', () => {
    expect(told(created(), { type: 'ModificationFailed', ...of, cause: 'no space' })).toMatchObject([
      { resources: [ARN], detail: { event: 'modifyVolume', result: 'failed', cause: 'no space' } },
    ]);
  });

  it('tells when all blocks of a snapshot are there', () => {
    const [done] = told(created(), { type: 'VolumeInitialized', ...of });
    expect(done).toMatchObject({ 'detail-type': 'EBS Volume Notification', resources: [ARN] });
    expect(done?.detail).toEqual({
      event: 'initializeVolume',
      result: 'succeeded',
      completionTime: '2026-01-31T12:00:00Z',
      'request-id': 'request-1',
    });
  });

  it('has the same id whenever the event is delivered', () => {
    const events: EbsEvent[] = [created(), { type: 'VolumeProvisioned', ...of }];
    expect(told(...events)).toEqual(told(...events));
  });
});

describe('snapshots', () => {
  const snapshot = { snapshotId: 'snap-0123456789abcdef0', at: '2026-01-31T12:05:00.000Z' };
  const SNAPSHOT = 'arn:aws:ec2:eu-central-1::snapshot/snap-0123456789abcdef0';
  const started: EbsEvent = {
    ...{ type: 'SnapshotStarted', ...snapshot, at, ownerId: '111122223333', region: 'eu-central-1' },
    volumeId: VOLUME,
  };
  const copied: EbsEvent = {
    ...{ type: 'SnapshotCopyStarted', ...snapshot, at, ownerId: '111122223333', region: 'eu-central-1' },
    source: { snapshotId: 'snap-0fedcba9876543210', region: 'us-east-1', dataKey: null },
    keyArn: KEY,
  };
  const times = { startTime: '2026-01-31T12:00:00Z', endTime: '2026-01-31T12:05:00Z' };

  it('tells of a snapshot and its volume', () => {
    expect(told(started, { type: 'SnapshotCompleted', ...snapshot })).toMatchObject([
      {
        'detail-type': 'EBS Snapshot Notification',
        resources: [SNAPSHOT],
        detail: {
          event: 'createSnapshot',
          result: 'succeeded',
          cause: '',
          snapshot_id: SNAPSHOT,
          source: ARN,
          ...times,
        },
      },
    ]);
  });

  it('tells why a copy failed, and of what it is one', () => {
    const source = 'arn:aws:ec2:us-east-1::snapshot/snap-0fedcba9876543210';
    expect(told(copied, { type: 'SnapshotFailed', ...snapshot, cause: 'DisabledException: x' })).toMatchObject([
      { detail: { event: 'copySnapshot', result: 'failed', cause: 'DisabledException: x', source, ...times } },
    ]);
  });

  it('tells of a copy whether it took blocks over', () => {
    const completed = { type: 'SnapshotCompleted', ...snapshot } as const;
    const chosen = { type: 'PreviousCopyChosen', ...snapshot, previousCopy: 'snap-0' } as const;
    const plain: EbsEvent = { ...copied, keyArn: null, region: 'us-east-1' };
    const flags = [[copied], [copied, chosen], [plain]].map(
      (events) => told(...events, completed)[0]?.detail['Incremental'],
    );
    expect(flags).toEqual(['false', 'true', 'true']);
    expect(told(copied, completed)[0]?.detail['transferType']).toBe('standard');
  });

  it('tells of the archive tier: when a snapshot came there, was restored, and went back', () => {
    const [begun, later] = ['2026-01-31T12:02:00.000Z', '2026-02-05T12:05:00.000Z'];
    const archival = { type: 'SnapshotArchivalStarted', ...snapshot, at: begun } as const;
    const restore = { type: 'TierRestoreStarted', ...snapshot, at: begun } as const;
    const detailOf = (...events: EbsEvent[]) => told(started, ...events)[0]?.detail;
    const tier = { cause: '', 'request-id': 'request-1', snapshot_id: SNAPSHOT, startTime: '2026-01-31T12:02:00Z', endTime: times.endTime }; // prettier-ignore
    const cause = 'block 00 is damaged';
    expect(detailOf(archival, { type: 'SnapshotArchived', ...snapshot })).toEqual({
      ...{ event: 'archiveSnapshot', result: 'succeeded', ...tier },
    });
    expect(detailOf(archival, { type: 'SnapshotArchivalFailed', ...snapshot, cause })).toEqual({
      ...{ event: 'archiveSnapshot', result: 'failed', ...tier, cause },
    });
    const permanent = { event: 'restoreSnapshot', result: 'succeeded', ...tier };
    expect(detailOf(restore, { type: 'TierRestoreCompleted', ...snapshot, expiresAt: null })).toEqual(permanent);
    expect(detailOf(restore, { type: 'TierRestoreCompleted', ...snapshot, expiresAt: later })).toEqual({
      ...{ ...permanent, restoreExpiryTime: '2026-02-05T12:05:00Z' },
    });
    expect(detailOf(restore, { type: 'TierRestoreFailed', ...snapshot, cause })).toEqual({
      ...{ event: 'restoreSnapshot', result: 'failed', ...tier, cause },
    });
    expect(detailOf(restore, { type: 'TierRestoreExpired', ...snapshot })).toEqual({
      ...{ event: 'restoreExpiry', result: 'succeeded', ...tier },
    });
  });

  it('tells once of snapshots that were taken together, when the last one has ended', () => {
    const set = [snapshot.snapshotId, 'snap-0fedcba9876543210'].map((snapshotId) => ({ snapshotId, volumeId: VOLUME }));
    const member = knownAfter({ ...started, set });
    const completed: EbsEvent = { type: 'SnapshotCompleted', ...snapshot };
    expect(memberEnd(member, completed)).toEqual({ set: set[0]?.snapshotId, snapshotId: set[0]?.snapshotId, status: 'completed' }); // prettier-ignore
    expect(memberEnd(member, started)).toBeNull();
    expect(memberEnd(knownAfter(started), completed)).toBeNull();
    const when = { requestId: 'r', at: snapshot.at };
    expect(setNotification(member, { [snapshot.snapshotId]: 'completed' }, when)).toBeNull();
    const ended = (second: 'completed' | 'error') =>
      setNotification(member, { [snapshot.snapshotId]: 'completed', 'snap-0fedcba9876543210': second }, when);
    const other = 'arn:aws:ec2:eu-central-1::snapshot/snap-0fedcba9876543210';
    expect(ended('completed')).toMatchObject({
      'detail-type': 'EBS Multi-Volume Snapshots Completion Status',
      resources: [SNAPSHOT, other],
      detail: {
        ...{ event: 'createSnapshots', result: 'succeeded', cause: '', 'request-id': 'r', ...times },
        snapshots: [
          { snapshot_id: SNAPSHOT, source: ARN, status: 'completed' },
          { snapshot_id: other, source: ARN, status: 'completed' },
        ],
      },
    });
    expect(ended('error')?.detail).toMatchObject({
      result: 'failed',
      cause: 'Snapshot snap-0fedcba9876543210 is in status error',
    });
    expect(ended('error')?.id).toBe(ended('completed')?.id);
  });

  it('tells of fast restores now, and at the times when their states are reached', () => {
    const restore = { ...snapshot, at, account: '444455556666', zone: 'eu-central-1a' };
    const news = (data: EbsEvent) => fastRestoreNews(knownAfter(started), { eventId: 'e', requestId: 'r', data });
    const [optimizingAt, enabledAt] = ['2026-01-31T12:00:02.123Z', '2026-01-31T12:30:02.123Z'];
    const enabled = news({ type: 'FastRestoreEnabled', ...restore, optimizingAt, enabledAt });
    expect(enabled).toMatchObject({
      topic: `${snapshot.snapshotId}/444455556666/eu-central-1a`,
      now: {
        'detail-type': 'EBS Fast Snapshot Restore State-change Notification',
        account: '444455556666',
        resources: [SNAPSHOT],
        detail: {
          'snapshot-id': snapshot.snapshotId,
          ...{ state: 'enabling', zone: 'eu-central-1a', message: 'Client.UserInitiated' },
        },
      },
    });
    expect(enabled?.later.map((plan) => [plan.at, plan.notification.time, plan.notification.detail['state']])).toEqual([
      [optimizingAt, '2026-01-31T12:00:02Z', 'optimizing'],
      [enabledAt, '2026-01-31T12:30:02Z', 'enabled'],
    ]);
    const message = (reason: 'disabled' | 'lost' | 'archived') => {
      const told = news({ type: 'FastRestoreDisabled', ...restore, reason, disabledAt: optimizingAt });
      return [told?.now, ...(told?.later ?? []).map(({ notification }) => notification)].map(
        (one) => one?.detail['message'],
      );
    };
    expect(message('disabled')).toEqual(['Client.UserInitiated', 'Client.UserInitiated - Lifecycle state transition']);
    expect(message('lost')[1]).toContain('was deleted or access permissions were revoked');
    expect(news({ type: 'FastRestoreDisabled', ...restore })?.later).toEqual([]);
    if (enabled === null) throw new Error('nothing told');
    expect(notificationSubject(enabled.now)).toBe(
      `notifications.444455556666.eu-central-1.ec2.snapshot.fastSnapshotRestore.enabling.${enabled.now.id}`,
    );
  });

  it('tells each account that a snapshot is shared with it', () => {
    const accounts = ['444455556666', '777788889999'];
    const shared = told(started, { type: 'SnapshotShared', ...snapshot, accounts });
    expect(shared).toMatchObject(
      accounts.map((account) => ({ account, detail: { event: 'shareSnapshot', source: '111122223333' } })),
    );
    expect(new Set(shared.map(({ id }) => id)).size).toBe(2);
  });
});

it('publishes where account, Region, kind, event and result can be chosen by', () => {
  const [available] = told(created(), { type: 'VolumeProvisioned', ...of });
  if (available === undefined) throw new Error('nothing told');
  expect(notificationSubject(available)).toBe(
    `notifications.111122223333.eu-central-1.ec2.volume.createVolume.available.${available.id}`,
  );
});

it('reads events as their services store them', () => {
  const samples = ['volumes/src/domain/volume', 'snapshots/src/domain/snapshot'].flatMap(
    (path) =>
      JSON.parse(readFileSync(new URL(`../../../${path}.events.v1.json`, import.meta.url), 'utf8')) as EbsEvent[],
  );
  const known = { VolumeCreated: samples[0], SnapshotStarted: samples.find(({ type }) => type === 'SnapshotStarted') };
  for (const [type, service] of Object.entries(EBS_EVENTS)) {
    const sample = samples.find((event) => event.type === type);
    expect(sample, type).toBeDefined();
    const first = service === 'volumes' ? known.VolumeCreated : known.SnapshotStarted;
    if (sample === undefined || first === undefined) continue;
    const resource = afterwards(null, first);
    if (resource === null) throw new Error(`${first.type} tells of nothing`);
    const made = notificationsOf(resource, { eventId: 'e', requestId: 'r', data: sample });
    expect(JSON.stringify([made, afterwards(resource, sample)])).not.toMatch(/undefined/);
    expect(Object.values(afterwards(resource, sample) ?? {})).not.toContain(undefined);
    for (const { detail, resources } of made) expect([...Object.values(detail), ...resources]).not.toContain(undefined);
  }
});
