import type { DecisionRecord } from '@holdfast/iam';
import type { Notification } from '../domain/envelope.ts';
import type { EbsResource } from '../domain/notification.ts';
import type { MemberEnd, SetStatus } from '../domain/snapshot-set.ts';

export interface Decisions {
  /** Keeps each once, by its decisionId. */
  keep(records: readonly DecisionRecord[]): Promise<void>;
  /** Forgets what was decided before `before` (ISO-8601), and the oldest of more than `most`. */
  forget(before: string, most: number): Promise<void>;
}

/** What is known of one stream's volume or snapshot, read and written in the transaction that handles its event. */
export interface EbsResources {
  find(streamId: string): Promise<EbsResource | null>;
  put(streamId: string, resource: EbsResource | null): Promise<void>;
  /** @returns how each member of the set that has ended did, this one included. Ends of one set are noted one after the other. */
  noteEnd(end: MemberEnd): Promise<Readonly<Record<string, SetStatus>>>;
  forgetSet(set: string): Promise<void>;
  /** To be published at `at` (ISO-8601), unless the topic's plans are cancelled before. */
  plan(topic: string, at: string, notification: Notification): Promise<void>;
  /** Those of after `at`. */
  cancelPlans(topic: string, at: string): Promise<void>;
}

export interface PlannedNotifications {
  /** Oldest first. */
  due(now: string, limit: number): Promise<readonly Notification[]>;
  forget(id: string): Promise<void>;
}

export interface Publisher {
  /** Publishes it unless that has happened before. */
  publish(notification: Notification): Promise<void>;
}

export interface NotificationWork {
  /** Runs `work` in one transaction, once for each event, however often the event is delivered. */
  once(eventId: string, work: (resources: EbsResources) => Promise<void>): Promise<void>;
}
