import type { EbsEvent } from '../domain/ebs-events.ts';
import { afterwards, notificationsOf } from '../domain/notification.ts';
import type { NotificationWork, Publisher } from './ports.ts';

/** An event as it is delivered. */
export interface Delivered {
  readonly eventId: string;
  readonly streamId: string;
  readonly requestId: string;
  readonly data: EbsEvent;
}

/**
 * Makes notifications of outcomes. An event is handled in one transaction, and the broker takes a notification's id once:
 * a crash after the publication and before the commit publishes nothing twice.
 */
export class Notify {
  constructor(
    private readonly work: NotificationWork,
    private readonly publisher: Publisher,
  ) {}

  run(event: Delivered): Promise<void> {
    const { eventId, streamId, data } = event;
    return this.work.once(eventId, async (resources) => {
      const known = await resources.find(streamId);
      if (known !== null) {
        for (const notification of notificationsOf(known, event)) await this.publisher.publish(notification);
      }
      await resources.put(streamId, afterwards(known, data));
    });
  }
}
