import type { ConsumerOptions, DeliveredEvent } from '@holdfast/messaging';
import type { FollowSnapshot } from '../../application/follow-snapshot.ts';
import type { Cause } from '../../application/ports.ts';
import type { RemoveSnapshot } from '../../application/remove-snapshot.ts';
import type { FollowTier } from '../../application/follow-tier.ts';
import type { SnapshotEvent } from '../../domain/snapshot.events.ts';

/** Snapshots that are looked after at once. */
const CONCURRENCY = 32;
/** How soon another process goes on when one falls silent, in milliseconds. Each step may be taken twice. */
const ACK_WAIT_MS = 5_000;

const causeOf = ({ metadata, eventId }: DeliveredEvent): Cause => ({
  caller: metadata.caller,
  causationId: eventId,
});

/** What is done after the answer: copying blocks, deleting. */
export const snapshotConsumers = (
  follow: FollowSnapshot,
  remove: RemoveSnapshot,
  tier: FollowTier,
): Omit<ConsumerOptions, 'owner'>[] => {
  type Event = DeliveredEvent<SnapshotEvent>;
  return [
    {
      name: 'snapshot-work',
      source: 'snapshots',
      concurrency: CONCURRENCY,
      ackWaitMs: ACK_WAIT_MS,
      handlers: {
        SnapshotStarted: (event: Event) => follow.run(event.data.snapshotId, causeOf(event)),
        SnapshotCopyStarted: (event: Event) => follow.run(event.data.snapshotId, causeOf(event)),
        SnapshotFailed: (event: Event) => follow.undo(event.data.snapshotId, causeOf(event)),
        SnapshotDeletionStarted: (event: Event) => remove.run(event.data.snapshotId, causeOf(event)),
      },
    },
    {
      // Apart from the rest, which goes on while large snapshots are moved.
      name: 'snapshot-tiers',
      source: 'snapshots',
      concurrency: CONCURRENCY,
      ackWaitMs: ACK_WAIT_MS,
      handlers: {
        SnapshotArchivalStarted: (event: Event) => tier.run(event.data.snapshotId, causeOf(event)),
        TierRestoreStarted: (event: Event) => tier.run(event.data.snapshotId, causeOf(event)),
        TierRestoreExpired: (event: Event) => tier.run(event.data.snapshotId, causeOf(event)),
      },
    },
  ];
};
