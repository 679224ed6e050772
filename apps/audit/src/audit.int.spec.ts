import { randomUUID } from 'node:crypto';
import type { DecisionRecord } from '@holdfast/iam';
import type { StoredEvent } from '@holdfast/event-store';
import { eventually, testContext, TestSource } from '@holdfast/messaging/testing';
import { type ServiceEnvironment, turnClocks } from '@holdfast/service-kit';
import { startTestStack, type TestStack } from '@holdfast/service-kit/testing';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { RetentionClock } from './adapters/inbound/retention-clock.ts';
import type { Notification } from './domain/envelope.ts';
import { start } from './service.ts';

let stack: TestStack;
let service: Awaited<ReturnType<typeof start>>;
let sql: pg.Pool;
let environment: ServiceEnvironment;

beforeAll(async () => {
  stack = await startTestStack(inject('postgresAdminUrl'));
  const jsm = await jetstreamManager(stack.bus.connection);
  await jsm.streams.add({ name: 'EVENTS-volumes', subjects: ['volumes.event.>'] });
  await jsm.streams.add({ name: 'EVENTS-snapshots', subjects: ['snapshots.event.>'] });
  environment = await stack.environment({ decisionDays: 2, decisionLimit: 3 });
  sql = new pg.Pool({ connectionString: environment.databaseUrl, max: 1 });
  sql.on('error', () => undefined);
  service = await start(environment);
});
afterAll(async () => {
  await service.close();
  await sql.end();
  await stack.close();
});

/** The service may not remove what it has noted. */
const forgetHandled = async (): Promise<void> => {
  const owner = new pg.Client({ connectionString: environment.migrationDatabaseUrl });
  owner.on('error', () => undefined);
  await owner.connect();
  await owner.query('DELETE FROM inbox');
  await owner.end();
};

const record = (
  requestId: string,
  at = new Date().toISOString(),
  more: Partial<DecisionRecord> = {},
): DecisionRecord => ({
  ...{ decisionId: randomUUID(), requestId, at, service: 'kms', operation: 'Decrypt' },
  ...{ accountId: '111122223333', region: 'eu-central-1', principalArn: 'arn', viaService: null, allowed: false },
  ...{ refusal: { code: 'AccessDeniedException', message: 'no' }, resources: ['vol-0123456789abcdef0'], steps: [] },
  ...more,
});
const keep = (...decisions: unknown[]) => stack.bus.request('audit', 'RecordDecisions', { decisions }, testContext());
const requestsKept = async (): Promise<string[]> => {
  const { rows } = await sql.query<{ request_id: string }>('SELECT request_id FROM decisions ORDER BY position');
  return rows.map(({ request_id: id }) => id);
};

describe('decisions', () => {
  it('are kept once, however often they are sent, and with any character', async () => {
    const odd = record('odd', undefined, { principalArn: 'a\u0000b' });
    await keep(odd, record('r1'));
    await keep(odd);
    expect((await requestsKept()).sort()).toEqual(['odd', 'r1']);
    const { rows } = await sql.query<{ record: string }>(
      `SELECT record FROM decisions WHERE request_id = 'odd' AND resources @> ARRAY['vol-0123456789abcdef0']`,
    );
    expect(JSON.parse(rows[0]?.record ?? '{}')).toEqual(odd);
  });

  it('are refused when they could not be found again', async () => {
    await expect(keep({ ...record('x'), decisionId: 'no uuid' })).rejects.toMatchObject({ code: 'ValidationError' });
  });

  it('are forgotten when they are too old, or too many', async () => {
    const retention = service.app.get(RetentionClock, { strict: false });
    await keep(record('a'), record('b'));
    await retention.run();
    // Positions have gaps, so it may be fewer than three, and never more.
    expect((await requestsKept()).slice(-2)).toEqual(['a', 'b']);
    expect(await requestsKept()).not.toContain('odd');
    await turnClocks(stack.bus.connection, ['audit'], 3 * 86_400_000);
    await retention.run();
    expect(await requestsKept()).toEqual([]);
    await turnClocks(stack.bus.connection, ['audit'], 0);
  });
});

describe('notifications', () => {
  const volumeId = 'vol-0123456789abcdef0';
  const at = '2026-01-31T12:00:00.000Z';
  const created = {
    ...{ type: 'VolumeCreated', volumeId, accountId: '111122223333', region: 'eu-central-1', at },
    encryption: { kmsKeyId: 'alias/a' },
  };
  const failed = { type: 'VolumeCreationFailed', volumeId, cause: 'is disabled.', at };
  const provisioned = { type: 'VolumeProvisioned', volumeId, at };

  /** Under another message id each time, as when the log is published again. */
  const deliver = async ({ type, ...event }: StoredEvent): Promise<void> => {
    const service = event.streamId.startsWith('volume-') ? 'volumes' : 'snapshots';
    const body = JSON.stringify({ ...event, type, service });
    await jetstream(stack.bus.connection).publish(`${service}.event.${type}.v1`, body, { msgID: randomUUID() });
  };
  const published = async (): Promise<string[]> => {
    const { streams } = await jetstreamManager(stack.bus.connection);
    const info = await streams.info('NOTIFICATIONS').catch(() => null);
    const all: string[] = [];
    for (let seq = info?.state.first_seq ?? 1; seq <= (info?.state.last_seq ?? 0); seq += 1) {
      const { detail } = (await streams.getMessage('NOTIFICATIONS', { seq }))?.json<Notification>() ?? {};
      all.push(`${String(detail?.['event'] ?? detail?.['zone'])} ${String(detail?.['result'] ?? detail?.['state'])}`);
    }
    return all;
  };

  it('tell each outcome once, also when its event comes again or a crash kept it from being noted', async () => {
    const source = new TestSource(stack.bus, 'volumes');
    const stream = `volume-${volumeId}`;
    const events = [created, failed].map(({ type, ...fields }) => source.event(stream, type, fields));
    for (const event of [...events, ...events]) await deliver(event);
    await eventually(published).toHaveLength(2);
    await forgetHandled();
    const more = [created, provisioned].map(({ type, ...fields }) => source.event(stream, type, fields));
    for (const event of [...events, ...more]) await deliver(event);
    await eventually(published).toContain('createVolume available');
    expect(await published()).toEqual(['createVolume failed', 'deleteVolume deleted', 'createVolume available']);
  });

  it('tell of snapshots that were taken together once all have ended, whoever is last', async () => {
    const source = new TestSource(stack.bus, 'snapshots');
    const set = ['1', '2', '3'].map((n) => ({ snapshotId: `snap-0123456789abcdef${n}`, volumeId }));
    const ends = set.map(({ snapshotId }) => {
      const of = { snapshotId, at };
      const taken = { ...of, ownerId: '111122223333', region: 'eu-central-1', volumeId, set };
      return [
        source.event(`snapshot-${snapshotId}`, 'SnapshotStarted', taken),
        source.event(`snapshot-${snapshotId}`, 'SnapshotCompleted', of),
      ] as const;
    });
    for (const [started] of ends) await deliver(started);
    await Promise.all(ends.map(([, completed]) => deliver(completed)));
    await eventually(published).toContain('createSnapshots succeeded');
    expect((await published()).filter((told) => told.startsWith('createSnapshots'))).toHaveLength(1);
  });

  it('tell of the states of fast restores when they are reached, and not of those that never are', async () => {
    const source = new TestSource(stack.bus, 'snapshots');
    const [snapshotId, now] = ['snap-0123456789abcdef1', Date.now()];
    const after = (seconds: number) => new Date(now + seconds * 1000).toISOString();
    const restore = (zone: string) => ({ snapshotId, account: '111122223333', zone });
    const enabled = (zone: string) => ({
      ...restore(zone),
      optimizingAt: after(1),
      enabledAt: after(3600),
      at: after(0),
    });
    const events = [
      source.event(`snapshot-${snapshotId}`, 'FastRestoreEnabled', enabled('a')),
      source.event(`snapshot-${snapshotId}`, 'FastRestoreEnabled', enabled('b')),
      source.event(`snapshot-${snapshotId}`, 'FastRestoreDisabled', {
        ...restore('b'),
        disabledAt: after(4),
        at: after(2),
      }),
    ];
    for (const event of events) await deliver(event);
    await eventually(published).toContain('b disabling');
    await turnClocks(stack.bus.connection, ['audit'], 2 * 3_600_000);
    await eventually(published).toContain('a enabled');
    await eventually(published).toContain('b disabled');
    const told = await published();
    expect(told).toContain('a optimizing');
    expect(told).not.toContain('b enabled');
    await turnClocks(stack.bus.connection, ['audit'], 0);
  });

  it('are bounded by age and size', async () => {
    const { config } = await (await jetstreamManager(stack.bus.connection)).streams.info('NOTIFICATIONS');
    expect([config.max_age, config.max_bytes, config.discard]).toEqual([7 * 86_400 * 1e9, 64 * 1_048_576, 'old']);
  });
});
