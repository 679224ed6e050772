import { instant } from '@holdfast/contracts';
import { specification } from '@holdfast/decider/testing';
import { describe, it } from 'vitest';
import { snapshotPublicAccessDecider } from './snapshot-public-access.decider.ts';
import type { BlockMode, SnapshotPublicAccessEvent } from './snapshot-public-access.events.ts';

const given = specification(snapshotPublicAccessDecider);
const at = instant(new Date('2026-01-31T12:00:00Z'));
const block = (mode: BlockMode) => ({ type: 'BlockSnapshotPublicAccess', mode, at }) as const;
const blocked = (mode: BlockMode): SnapshotPublicAccessEvent => ({ type: 'SnapshotPublicAccessBlocked', mode, at });
const unblocked: SnapshotPublicAccessEvent = { type: 'SnapshotPublicAccessUnblocked', at };

describe('block public access for snapshots', () => {
  it('goes from any mode to any other', () => {
    given().when(block('block-new-sharing')).then(blocked('block-new-sharing'));
    given(blocked('block-new-sharing')).when(block('block-all-sharing')).then(blocked('block-all-sharing'));
    given(blocked('block-all-sharing')).when(block('block-new-sharing')).then(blocked('block-new-sharing'));
    given(blocked('block-all-sharing')).when({ type: 'UnblockSnapshotPublicAccess', at }).then(unblocked);
  });

  it('repeats nothing', () => {
    given().when({ type: 'UnblockSnapshotPublicAccess', at }).thenNothing();
    given(blocked('block-all-sharing')).when(block('block-all-sharing')).thenNothing();
    given(blocked('block-all-sharing'), unblocked).when({ type: 'UnblockSnapshotPublicAccess', at }).thenNothing();
  });
});
