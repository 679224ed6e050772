import { UserError } from './errors.ts';

/** One event of one service, as the timeline shows it. */
export interface TimelineEvent {
  readonly service: string;
  readonly time: Date;
  readonly streamId: string;
  readonly version: number;
  readonly type: string;
  readonly data: Record<string, unknown>;
  /** `arn` of who caused it, when the event says so. */
  readonly principal?: string;
  readonly requestId?: string;
}

const UNITS_MS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Reads an option's time: `90s`, `15m`, `2h`, `1d` ago, or an ISO-8601 instant.
 * @throws UserError for anything else, naming the option.
 */
export const parseTime = (option: string, text: string, now: Date): Date => {
  const ago = /^(\d+)([smhd])$/.exec(text);
  if (ago) return new Date(now.getTime() - Number(ago[1]) * (UNITS_MS[ago[2] ?? ''] ?? 0));
  const instant = new Date(text);
  if (/^\d{4}-\d\d-\d\d/.test(text) && !Number.isNaN(instant.getTime())) return instant;
  throw new UserError(`${option} ${text}: give a time like 15m, 2h, 1d, or 2026-01-31T12:00:00Z`);
};

/** Reads `--since`. @throws UserError as parseTime. */
export const parseSince = (text: string, now: Date): Date => parseTime('--since', text, now);

const SERVICE_WIDTH = 16;
const STREAM_WIDTH = 42;
const MAX_VALUE_CHARACTERS = 60;

const short = (value: unknown): string => {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length <= MAX_VALUE_CHARACTERS ? text : `${text.slice(0, MAX_VALUE_CHARACTERS - 1)}…`;
};

/** One line: when, whose, which stream and version, what, and the event's own fields. */
export const formatEvent = ({ service, time, streamId, version, type, data }: TimelineEvent): string => {
  const fields = Object.entries(data).filter(
    ([name, value]) => !['type', 'at'].includes(name) && value !== null && !streamId.endsWith(String(value)),
  );
  const details = fields.map(([name, value]) => `${name}=${short(value)}`).join(' ');
  const stream = `${streamId}@${version}`.padEnd(STREAM_WIDTH);
  return `${time.toISOString()}  ${service.padEnd(SERVICE_WIDTH)} ${stream} ${type}  ${details}`.trimEnd();
};
