import { instanceId } from '@holdfast/contracts';
import type { ConsumerOptions, DeliveredEvent } from '@holdfast/messaging';
import type { FinishAttachment } from '../../application/finish-attachment.ts';
import type { FollowInitialization } from '../../application/follow-initialization.ts';
import type { FollowModification } from '../../application/follow-modification.ts';
import type { Cause } from '../../application/ports.ts';
import type { ProvisionVolume } from '../../application/provision-volume.ts';
import type { ReleaseFromInstance } from '../../application/release-from-instance.ts';
import type { RemoveVolume } from '../../application/remove-volume.ts';
import type { VolumeEvent } from '../../domain/volume.events.ts';

export interface VolumeWork {
  provision: ProvisionVolume;
  remove: RemoveVolume;
  attachment: FinishAttachment;
  modification: FollowModification;
  initialization: FollowInitialization;
  release: ReleaseFromInstance;
}

/** Volumes whose long work goes on at once. */
const CONCURRENCY = 32;
/** How soon another process goes on when one falls silent, in milliseconds. Each step may be taken twice. */
const ACK_WAIT_MS = 5_000;

const causeOf = ({ metadata, eventId, deliveryCount }: DeliveredEvent): Cause => ({
  caller: metadata.caller,
  causationId: eventId,
  retried: deliveryCount > 1,
});

type OfInstance = DeliveredEvent<Extract<VolumeEvent, { type: 'AttachmentStarted' | 'DetachmentStarted' }>>;
const instanceOf = ({ data }: OfInstance) => data.instanceId;

/** What is done after the answer: creating, attaching, detaching, deleting. */
export const volumeConsumers = ({
  provision,
  remove,
  attachment,
  modification,
  initialization,
  release,
}: VolumeWork): Omit<ConsumerOptions, 'owner'>[] => {
  type Event = DeliveredEvent<VolumeEvent>;
  return [
    {
      name: 'volume-work',
      source: 'volumes',
      concurrency: CONCURRENCY,
      ackWaitMs: ACK_WAIT_MS,
      handlers: {
        VolumeCreated: (event: Event) => provision.run(event.data.volumeId, causeOf(event)),
        VolumeCreationFailed: (event: Event) => provision.undo(event.data.volumeId, causeOf(event)),
        VolumeDeletionStarted: (event: Event) => remove.run(event.data.volumeId, causeOf(event)),
        AttachmentStarted: (event: OfInstance) =>
          attachment.attach(event.data.volumeId, instanceOf(event), causeOf(event)),
        DetachmentStarted: (event: OfInstance) =>
          attachment.detach(event.data.volumeId, instanceOf(event), causeOf(event)),
      },
    },
    {
      // Apart from the rest of a volume's work, which goes on while a modification is being optimized.
      name: 'volume-modifications',
      source: 'volumes',
      concurrency: CONCURRENCY,
      ackWaitMs: ACK_WAIT_MS,
      handlers: {
        ModificationStarted: (event: Event) => modification.run(event.data.volumeId, causeOf(event)),
      },
    },
    {
      // As long as it takes to fetch the blocks.
      name: 'volume-initializations',
      source: 'volumes',
      concurrency: CONCURRENCY,
      ackWaitMs: ACK_WAIT_MS,
      handlers: {
        VolumeProvisioned: (event: Event) => initialization.run(event.data.volumeId, causeOf(event)),
      },
    },
    {
      name: 'instance-ends',
      source: 'instances',
      ackWaitMs: ACK_WAIT_MS,
      handlers: {
        InstanceTerminated: (event: DeliveredEvent<{ type: 'InstanceTerminated'; instanceId: string }>) =>
          release.run(instanceId(event.data.instanceId), causeOf(event)),
      },
    },
  ];
};
