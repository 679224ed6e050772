import type { EbsEvent } from '../domain/ebs-events.ts';
import { fastRestoreNews } from '../domain/fast-restore-notifications.ts';
import { afterwards, type EbsResource, notificationsOf } from '../domain/notification.ts';
import { memberEnd, setNotification } from '../domain/snapshot-set.ts';
import type { EbsResources, NotificationWork, Publisher } from './ports.ts';

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
        await this.tellOfSet(known, event, resources);
        await this.tellOfFastRestore(known, event, resources);
      }
      await resources.put(streamId, afterwards(known, data));
    });
  }

  /** Once the last one of snapshots that were taken together has ended. */
  private async tellOfSet(known: EbsResource, { requestId, data }: Delivered, resources: EbsResources): Promise<void> {
    const end = memberEnd(known, data);
    if (end === null) return;
    const notification = setNotification(known, await resources.noteEnd(end), { requestId, at: data.at });
    if (notification === null) return;
    await this.publisher.publish(notification);
    await resources.forgetSet(end.set);
  }

  private async tellOfFastRestore(known: EbsResource, event: Delivered, resources: EbsResources): Promise<void> {
    const news = fastRestoreNews(known, event);
    if (news === null) return;
    await this.publisher.publish(news.now);
    await resources.cancelPlans(news.topic, news.at);
    for (const { at, notification } of news.later) await resources.plan(news.topic, at, notification);
  }
}
