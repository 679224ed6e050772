import type { RequestContext, SnapshotId, SnapshotRecord } from '@holdfast/contracts';
import type { EbsKeys } from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import type { DirectTokens } from './ebs-direct-tokens.ts';
import type { SnapshotStreams } from './ports.ts';

/** What the actions of EBS direct have in common. */
export interface DirectParts {
  readonly snapshots: SnapshotStreams;
  readonly requests: Requests;
  readonly keys: EbsKeys;
  readonly clock: Clock;
  readonly tokens: DirectTokens;
  /** The caller's snapshots that blocks may still be put into. */
  readonly pendingUploads: (context: RequestContext) => Promise<number>;
  /** What the caller may see: own and shared ones. */
  readonly visible: (snapshotId: SnapshotId, context: RequestContext) => Promise<SnapshotRecord | null>;
}
