import { randomUUID } from 'node:crypto';
import type { Caller } from '@holdfast/contracts';
import type { Clock } from '@holdfast/service-kit';
import type { DueSnapshot, SnapshotFeatureTable } from './feature-ports.ts';
import type { SnapshotStreams } from './ports.ts';

/** Done in one go; the rest is done in the next. */
const BATCH = 100;
const SERVICE = 'ec2.amazonaws.com';

/** On nobody's request: as EC2 itself, in the snapshot's account and Region. */
const ownCaller = ({ ownerId: accountId, region }: DueSnapshot): Caller => ({
  requestId: randomUUID(),
  accountId,
  region,
  principal: { type: 'AWSService', arn: SERVICE, accountId, principalId: SERVICE },
  sourceIp: SERVICE,
  userAgent: SERVICE,
});

/**
 * Does what the clock asks for, what came due while nothing ran among it. Repeats safely: each snapshot's history decides
 * again. One snapshot's failure keeps no other waiting, and is tried again with the next call.
 */
export class DueSnapshots {
  constructor(
    private readonly snapshots: SnapshotStreams,
    private readonly table: SnapshotFeatureTable,
    private readonly clock: Clock,
  ) {}

  async run(onError: (error: unknown, snapshotId: string) => void): Promise<void> {
    const at = this.clock.instant();
    const leaving = (await this.table.dueToLeaveBin(at, BATCH)).map((due) => ({ due, type: 'LeaveBin' as const }));
    const returning = (await this.table.dueToReturn(at, BATCH)).map((due) => ({
      due,
      type: 'ExpireTierRestore' as const,
    }));
    for (const { due, type } of [...leaving, ...returning]) {
      const { snapshotId } = due;
      await this.snapshots
        .handle({ type, snapshotId, at }, { caller: ownCaller(due) })
        .catch((error: unknown) => onError(error, snapshotId));
    }
  }
}
