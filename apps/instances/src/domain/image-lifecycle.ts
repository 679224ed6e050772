import type { ImageId, Instant } from '@holdfast/contracts';
import { assertNever, DomainError } from '@holdfast/decider';
import type { ImageEvent } from './image.events.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** @see EnableImageDeprecation, DeprecateAt */
const MAX_YEARS_AHEAD = 10;
/** After its creation: when a public image is deprecated at the latest. */
const PUBLIC_YEARS = 2;
/** @see EnableImageDeregistrationProtection, WithCooldown */
const COOLDOWN_MS = DAY_MS;

export type Protection = 'disabled' | 'enabled-with-cooldown' | 'enabled-without-cooldown';

/** How far an image's life has gone. */
export interface ImageLife {
  readonly status: 'absent' | 'pending' | 'available' | 'disabled' | 'failed' | 'recycled' | 'deregistered';
  /** As its owner set it; null: not at all. */
  readonly deprecatesAt: Instant | null;
  readonly protection: Protection;
  /** What is left of a protection that was turned off; null: nothing. */
  readonly protectedUntil: Instant | null;
  /** When the Recycle Bin lets it go, and what it was before; null: it is not there. */
  readonly bin: { readonly exitsAt: Instant; readonly before: 'available' | 'disabled' } | null;
}

export const NO_LIFE: ImageLife = {
  status: 'absent',
  deprecatesAt: null,
  protection: 'disabled',
  protectedUntil: null,
  bin: null,
};

type LifecycleEventType =
  | 'ImageDeprecationSet'
  | 'ImageDeprecationCancelled'
  | 'ImageDisabled'
  | 'ImageEnabled'
  | 'ImageProtected'
  | 'ImageUnprotected'
  | 'ImageRecycled'
  | 'ImageRestoredFromBin'
  | 'ImageDeregistered';
export type LifecycleEvent = Extract<ImageEvent, { type: LifecycleEventType }>;

interface Command<Type extends string> {
  type: Type;
  imageId: ImageId;
  at: Instant;
}

export type LifecycleCommand =
  /** `at` is the request's time. */
  | (Command<'SetDeprecation'> & { deprecateAt: Instant })
  | Command<'CancelDeprecation'>
  | Command<'DisableImage'>
  | Command<'EnableImage'>
  | (Command<'ProtectImage'> & { withCooldown: boolean })
  | Command<'UnprotectImage'>
  /** `retentionDays`: how long a rule of the Recycle Bin keeps it; absent or null: none does. */
  | (Command<'DeregisterImage'> & { retentionDays?: number | null });

export type LifecycleErrorCode =
  | 'DeprecationInPast'
  | 'DeprecationOfPublicImage'
  | 'DeprecationTooLate'
  | 'ImageInCooldown'
  | 'ImageNotAvailable'
  | 'ImageNotInBin'
  | 'ImageProtected';

const yearsAfter = (time: string, years: number): Instant => {
  const date = new Date(time);
  date.setUTCFullYear(date.getUTCFullYear() + years);
  return date.toISOString() as Instant;
};

/** When a public image is deprecated at the latest, by the time of its creation. */
export const publicDeprecation = (createdAt: string): Instant => yearsAfter(createdAt, PUBLIC_YEARS);

/** The latest time of creation of public images that are deprecated by now. */
export const publicSince = (now: string): Instant => yearsAfter(now, -PUBLIC_YEARS);

export const evolveLife = (event: LifecycleEvent, life: ImageLife): ImageLife => {
  switch (event.type) {
    case 'ImageDeprecationSet':
      return { ...life, deprecatesAt: event.deprecateAt };
    case 'ImageDeprecationCancelled':
      return { ...life, deprecatesAt: null };
    case 'ImageDisabled':
      return { ...life, status: 'disabled' };
    case 'ImageEnabled':
      return { ...life, status: 'available' };
    case 'ImageProtected': {
      const protection = event.withCooldown ? 'enabled-with-cooldown' : 'enabled-without-cooldown';
      return { ...life, protection, protectedUntil: null };
    }
    case 'ImageUnprotected':
      return { ...life, protection: 'disabled', protectedUntil: event.protectedUntil };
    case 'ImageRecycled': {
      const before = life.status === 'disabled' ? 'disabled' : 'available';
      return { ...life, status: 'recycled', bin: { exitsAt: event.exitsAt, before } };
    }
    case 'ImageRestoredFromBin':
      return { ...life, status: life.bin?.before ?? 'available', bin: null };
    case 'ImageDeregistered':
      return { ...life, status: 'deregistered', bin: null };
    default:
      return assertNever(event);
  }
};

type CommandOf<Type extends LifecycleCommand['type']> = Extract<LifecycleCommand, { type: Type }>;
type Decision = readonly LifecycleEvent[];

const refuse = (code: LifecycleErrorCode, imageId: ImageId, details: Record<string, unknown> = {}): never => {
  throw new DomainError(code, { imageId, ...details });
};

/** The facts about an image that decide besides its own life. */
export interface ImageFacts {
  readonly createdAt: Instant;
  readonly isPublic: boolean;
}

/** Times are whole minutes, the nearest. */
const deprecate = (
  { imageId, deprecateAt: asked, at }: CommandOf<'SetDeprecation'>,
  { deprecatesAt }: ImageLife,
  { createdAt, isPublic }: ImageFacts,
): Decision => {
  const time = Math.round(Date.parse(asked) / MINUTE_MS) * MINUTE_MS;
  const deprecateAt = new Date(time).toISOString() as Instant;
  const limit = isPublic ? publicDeprecation(createdAt) : yearsAfter(at, MAX_YEARS_AHEAD);
  // One that is asked for at once may be rounded down.
  if (time < Math.floor(Date.parse(at) / MINUTE_MS) * MINUTE_MS) return refuse('DeprecationInPast', imageId, { asked });
  if (Date.parse(asked) > Date.parse(limit)) return refuse('DeprecationTooLate', imageId, { asked, limit });
  return deprecatesAt === deprecateAt ? [] : [{ type: 'ImageDeprecationSet', imageId, deprecateAt, at }];
};

/** Into the Recycle Bin where a rule keeps it, else away. One that was never made, or failed, is not kept. */
const deregister = (
  { imageId, retentionDays = null, at }: CommandOf<'DeregisterImage'>,
  { status, protection, protectedUntil }: ImageLife,
): Decision => {
  if (protection !== 'disabled') return refuse('ImageProtected', imageId);
  if (protectedUntil !== null && at < protectedUntil) return refuse('ImageInCooldown', imageId, { protectedUntil });
  const isWhole = status === 'available' || status === 'disabled';
  if (retentionDays === null || !isWhole) return [{ type: 'ImageDeregistered', imageId, at }];
  const exitsAt = new Date(Date.parse(at) + retentionDays * DAY_MS).toISOString() as Instant;
  return [{ type: 'ImageRecycled', imageId, exitsAt, at }];
};

/** Of an image that is there. What is so already is not changed. */
export const decideLife = (command: LifecycleCommand, life: ImageLife, facts: ImageFacts): Decision => {
  const { imageId, at } = command;
  const { status, protection } = life;
  switch (command.type) {
    case 'SetDeprecation':
      return deprecate(command, life, facts);
    case 'CancelDeprecation':
      if (facts.isPublic) return refuse('DeprecationOfPublicImage', imageId);
      return life.deprecatesAt === null ? [] : [{ type: 'ImageDeprecationCancelled', imageId, at }];
    case 'DisableImage':
    case 'EnableImage': {
      if (status !== 'available' && status !== 'disabled') return refuse('ImageNotAvailable', imageId, { status });
      const type = command.type === 'DisableImage' ? 'ImageDisabled' : 'ImageEnabled';
      return (status === 'disabled') === (type === 'ImageDisabled') ? [] : [{ type, imageId, at }];
    }
    case 'ProtectImage': {
      const { withCooldown } = command;
      const wanted: Protection = withCooldown ? 'enabled-with-cooldown' : 'enabled-without-cooldown';
      return protection === wanted ? [] : [{ type: 'ImageProtected', imageId, withCooldown, at }];
    }
    case 'UnprotectImage': {
      if (protection === 'disabled') return [];
      const ends = new Date(Date.parse(at) + COOLDOWN_MS).toISOString() as Instant;
      const protectedUntil = protection === 'enabled-with-cooldown' ? ends : null;
      return [{ type: 'ImageUnprotected', imageId, protectedUntil, at }];
    }
    case 'DeregisterImage':
      return deregister(command, life);
    default:
      return assertNever(command);
  }
};

/** Out of the Recycle Bin, one way or the other. */
export const leaveBin = (
  { type, imageId, at }: Command<'RestoreFromBin' | 'LeaveBin'>,
  { status, bin }: ImageLife,
): Decision => {
  const isOver = bin !== null && bin.exitsAt <= at;
  if (type === 'LeaveBin') return status === 'recycled' && isOver ? [{ type: 'ImageDeregistered', imageId, at }] : [];
  if (status !== 'recycled' || isOver) return refuse('ImageNotInBin', imageId);
  return [{ type: 'ImageRestoredFromBin', imageId, at }];
};

export type BinCommand = Parameters<typeof leaveBin>[0];
