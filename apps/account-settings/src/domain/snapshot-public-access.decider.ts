import type { Instant } from '@holdfast/contracts';
import { assertNever, type Decider } from '@holdfast/decider';
import type { BlockMode, SnapshotPublicAccessEvent } from './snapshot-public-access.events.ts';

export type SnapshotPublicAccessCommand =
  | { type: 'BlockSnapshotPublicAccess'; mode: BlockMode; at: Instant }
  | { type: 'UnblockSnapshotPublicAccess'; at: Instant };

export type SnapshotPublicAccess = BlockMode | 'unblocked';

const evolve = (_: SnapshotPublicAccess, event: SnapshotPublicAccessEvent): SnapshotPublicAccess => {
  switch (event.type) {
    case 'SnapshotPublicAccessBlocked':
      return event.mode;
    case 'SnapshotPublicAccessUnblocked':
      return 'unblocked';
    default:
      return assertNever(event);
  }
};

/** Any mode follows any other; setting it to what it is changes nothing. */
const decide = (
  command: SnapshotPublicAccessCommand,
  state: SnapshotPublicAccess,
): readonly SnapshotPublicAccessEvent[] => {
  const { at } = command;
  switch (command.type) {
    case 'BlockSnapshotPublicAccess':
      return state === command.mode ? [] : [{ type: 'SnapshotPublicAccessBlocked', mode: command.mode, at }];
    case 'UnblockSnapshotPublicAccess':
      return state === 'unblocked' ? [] : [{ type: 'SnapshotPublicAccessUnblocked', at }];
    default:
      return assertNever(command);
  }
};

export const snapshotPublicAccessDecider: Decider<
  SnapshotPublicAccessCommand,
  SnapshotPublicAccessEvent,
  SnapshotPublicAccess
> = { initialState: 'unblocked', evolve, decide };
