import type { NewEvent, PreparedAppend } from '../new-events.ts';
import type { AppendOptions, DomainEvent } from '../types.ts';
import { jsonbArray } from './binary-array.ts';

const COLUMNS =
  'event_id, stream_id, version, transaction_id, global_position, type, schema_version, data, metadata, time';

export const READ_STREAM = `SELECT ${COLUMNS} FROM events WHERE stream_id = $1 AND version >= $2 ORDER BY version`;

export const READ_STREAMS = `SELECT ${COLUMNS} FROM events WHERE stream_id = ANY ($1) ORDER BY stream_id, version`;

/**
 * Order of transaction ids, not of commits; and nothing of a transaction that is not older than every running one, since
 * a running one may still commit events that belong before it.
 */
const readLog = (columns: string): string => `
  SELECT ${columns} FROM events
  WHERE (transaction_id, global_position) > ($1::xid8, $2::bigint)
    AND transaction_id < pg_snapshot_xmin(pg_current_snapshot())
  ORDER BY transaction_id, global_position LIMIT $3`;
export const READ_LOG = readLog(COLUMNS);
/** The same, with the documents as text. */
export const READ_LOG_UNREAD = readLog(
  COLUMNS.replace(
    'data, metadata',
    `data::text AS data, metadata::text AS metadata, metadata #>> '{caller,traceparent}' AS traceparent`,
  ),
);

export const ANY_LATER = `
  SELECT EXISTS (SELECT FROM events WHERE (transaction_id, global_position) > ($1::xid8, $2::bigint)) AS any`;

export const START_CHECKPOINT = `
  INSERT INTO checkpoints (name, transaction_id, global_position) VALUES ($1, $2::xid8, $3)
  ON CONFLICT DO NOTHING RETURNING true`;

export const MOVE_CHECKPOINT = `
  UPDATE checkpoints SET transaction_id = $2::xid8, global_position = $3
  WHERE name = $1 AND transaction_id = $4::xid8 AND global_position = $5 RETURNING true`;

/**
 * $1 stream, $2 expected version, $3 metadata, $4 time. Inserts nothing unless the stream has reached the expected
 * version; one that is past it violates the unique key. One statement's snapshot is older than the transaction id that
 * its insert takes, so along a stream the transaction ids rise with the versions.
 */
const REACHED = '($2::integer = 0 OR EXISTS (SELECT FROM events WHERE stream_id = $1 AND version = $2))';
const INTO_EVENTS = 'INSERT INTO events (stream_id, version, event_id, type, schema_version, data, metadata, time)';
const ONE = `${INTO_EVENTS}
  SELECT $1::text, $2::integer + 1, $5::uuid, $6::text, $7::integer, $8::jsonb, $3::jsonb, $4::timestamptz
  WHERE ${REACHED} RETURNING version, global_position`;
const SEVERAL = `${INTO_EVENTS}
  SELECT $1::text, $2::integer + position, event_id, type, schema_version, data, $3::jsonb, $4::timestamptz
  FROM unnest($5::uuid[], $6::text[], $7::integer[], $8::jsonb[])
    WITH ORDINALITY AS event (event_id, type, schema_version, data, position)
  WHERE ${REACHED} ORDER BY position RETURNING version, global_position`;

const withToken = (insert: string): string => `
  WITH appended AS (${insert}), noted AS (
    INSERT INTO client_tokens (scope, token, parameters_hash, result, created_at)
    SELECT $9::text, $10::text, $11::text, $12::jsonb, $4::timestamptz WHERE ${REACHED})
  SELECT version, global_position FROM appended ORDER BY version`;
const ONE_WITH_TOKEN = withToken(ONE);
const SEVERAL_WITH_TOKEN = withToken(SEVERAL);

/** The one statement that appends `events`, and their client token with them. */
export const appendStatement = (
  streamId: string,
  expectedVersion: number,
  events: readonly NewEvent[],
  metadataJson: string,
  { time, clientToken }: AppendOptions,
): { text: string; values: unknown[] } => {
  const [first] = events;
  const single = events.length === 1 && first !== undefined;
  const rows = single
    ? [first.eventId, first.type, first.schemaVersion, first.dataJson]
    : [
        events.map(({ eventId }) => eventId),
        events.map(({ type }) => type),
        events.map(({ schemaVersion }) => schemaVersion),
        jsonbArray(events.map(({ dataJson }) => dataJson)),
      ];
  const values = [streamId, expectedVersion, metadataJson, time, ...rows];
  if (clientToken === undefined) return { text: single ? ONE : SEVERAL, values };
  const { scope, token, parametersHash, result } = clientToken;
  return {
    text: single ? ONE_WITH_TOKEN : SEVERAL_WITH_TOKEN,
    values: [...values, scope, token, parametersHash, JSON.stringify(result ?? null)],
  };
};

/**
 * $1 streams and $2 expected versions; from $3 on, one entry an event. All or nothing: one stream that has not reached its
 * expected version keeps every row out, one that is past it violates the unique key.
 */
const MANY = `${INTO_EVENTS}
  SELECT stream_id, version, event_id, type, schema_version, data, metadata, time
  FROM unnest($3::text[], $4::integer[], $5::uuid[], $6::text[], $7::integer[], $8::jsonb[], $9::jsonb[],
      $10::timestamptz[])
    WITH ORDINALITY AS event (stream_id, version, event_id, type, schema_version, data, metadata, time, position)
  WHERE NOT EXISTS (
    SELECT FROM unnest($1::text[], $2::integer[]) AS wanted (stream_id, version)
    WHERE wanted.version > 0 AND NOT EXISTS (
      SELECT FROM events e WHERE e.stream_id = wanted.stream_id AND e.version = wanted.version))
  ORDER BY position RETURNING stream_id, version, global_position`;

/** @param appends ordered by stream, so that of two statements that meet none waits for the other in a circle. */
export const appendManyStatement = <Event extends DomainEvent>(
  appends: readonly PreparedAppend<Event>[],
): { text: string; values: unknown[] } => {
  const rows = appends.flatMap(({ streamId, newEvents, metadataJson, options }) =>
    newEvents.map((event) => ({ streamId, event, metadataJson, time: options.time })),
  );
  return {
    text: MANY,
    values: [
      appends.map(({ streamId }) => streamId),
      appends.map(({ expectedVersion }) => expectedVersion),
      rows.map(({ streamId }) => streamId),
      rows.map(({ event }) => event.version),
      rows.map(({ event }) => event.eventId),
      rows.map(({ event }) => event.type),
      rows.map(({ event }) => event.schemaVersion),
      jsonbArray(rows.map(({ event }) => event.dataJson)),
      jsonbArray(rows.map(({ metadataJson }) => metadataJson)),
      rows.map(({ time }) => time),
    ],
  };
};

/** Which of the streams $1 is not at its version $2. */
export const FIRST_CONFLICT = `
  SELECT wanted.stream_id, wanted.version FROM unnest($1::text[], $2::integer[]) AS wanted (stream_id, version)
  WHERE wanted.version <> coalesce((SELECT max(e.version) FROM events e WHERE e.stream_id = wanted.stream_id), 0)
  LIMIT 1`;
