import type { ConsumerOptions, DeliveredEvent, EventHandlers } from '@holdfast/messaging';
import type { Notify } from '../../application/notify.ts';
import { EBS_EVENTS, type EbsEvent } from '../../domain/ebs-events.ts';

/** Outcomes of volumes and snapshots. */
export const notificationConsumers = (notify: Notify): Omit<ConsumerOptions, 'owner'>[] =>
  (['volumes', 'snapshots'] as const).map((source) => {
    const types = Object.entries(EBS_EVENTS).filter(([, owner]) => owner === source);
    const handle = ({ eventId, streamId, metadata, data }: DeliveredEvent<EbsEvent>): Promise<void> =>
      notify.run({ eventId, streamId, requestId: metadata.caller.requestId, data });
    const handlers = Object.fromEntries(types.map(([type]) => [type, handle])) as EventHandlers;
    return { name: `notifications-of-${source}`, source, handlers };
  });
