import type { DecisionRecord } from '@holdfast/iam';
import type { EbsResource, Notification } from '../domain/notification.ts';

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
}

export interface Publisher {
  /** Publishes it unless that has happened before. */
  publish(notification: Notification): Promise<void>;
}

export interface NotificationWork {
  /** Runs `work` in one transaction, once for each event, however often the event is delivered. */
  once(eventId: string, work: (resources: EbsResources) => Promise<void>): Promise<void>;
}
