import type { RequestContext, SnapshotId } from '@holdfast/contracts';
import { generateRecipient } from '@holdfast/sealing';
import { alreadyCompleted, fromDataPlane, invalidRequest } from './ebs-direct-errors.ts';
import type { DirectParts } from './ebs-direct-ports.ts';
import { callersKeyUse, describeKey, ownedSnapshot, readableSnapshot } from './ebs-direct-snapshots.ts';

/** A session with a host, for one caller and the blocks of one snapshot. */
export interface BlockSession {
  readonly snapshotId: SnapshotId;
  readonly volumeSizeGiB: number;
  readonly sessionId: string;
  readonly endpoint: string;
  readonly ticketKey: Buffer;
}

/**
 * For so long a caller's blocks go by what was found of the snapshot, the key and the caller's permission on it: between a
 * thousand blocks a second KMS is asked once.
 */
const SESSION_LIFE_MS = 5_000;
const MAX_SESSIONS = 4096;

interface Kept {
  readonly untilMs: number;
  readonly session: Promise<BlockSession>;
}

export class BlockSessions {
  private readonly kept = new Map<string, Kept>();

  constructor(private readonly parts: DirectParts) {}

  /** @param renew the host does not know the one that is kept any more. @throws AwsError as EBS direct words it */
  session(
    snapshotId: string,
    operation: 'get' | 'put',
    context: RequestContext,
    renew: boolean,
  ): Promise<BlockSession> {
    const { accountId, region, principal } = context;
    const who = [accountId, region, principal.arn, principal.accessKeyId ?? ''];
    const name = JSON.stringify([...who, operation, snapshotId]);
    const present = this.kept.get(name);
    if (present !== undefined && !renew && present.untilMs > performance.now()) return present.session;
    const session = this.open(snapshotId, operation, context);
    const kept = { untilMs: performance.now() + SESSION_LIFE_MS, session };
    this.kept.delete(name);
    this.kept.set(name, kept);
    const [oldest] = this.kept.keys();
    if (this.kept.size > MAX_SESSIONS && oldest !== undefined) this.kept.delete(oldest);
    session.catch(() => {
      if (this.kept.get(name) === kept) this.kept.delete(name);
    });
    return session;
  }

  private async open(text: string, operation: 'get' | 'put', context: RequestContext): Promise<BlockSession> {
    const record =
      operation === 'get'
        ? await readableSnapshot(text, this.parts, context)
        : await this.writableSnapshot(text, context);
    const { snapshotId, volumeSizeGiB, dataKey } = record;
    if (operation === 'get') await describeKey(record, this.parts, context);
    const recipient = await generateRecipient();
    try {
      const input = {
        ...{ snapshotId, operation, accountId: context.accountId },
        dataKey: dataKey === null ? undefined : callersKeyUse(dataKey, context),
      };
      const { sessionId, endpoint, sealedTicketKey } = await this.parts.requests
        .call('data-plane', 'OpenBlockSession', input, { ...context, recipientPublicKey: recipient.publicKeyBase64 })
        .catch(fromDataPlane(snapshotId));
      const ticketKey = await recipient.open(sealedTicketKey, sessionId);
      return { snapshotId, volumeSizeGiB, sessionId, endpoint, ticketKey };
    } finally {
      recipient.destroy();
    }
  }

  private async writableSnapshot(text: string, context: RequestContext) {
    const record = await ownedSnapshot(text, this.parts, context);
    if (record.state !== 'pending') throw alreadyCompleted();
    const { started } = await this.parts.snapshots.load(record.snapshotId);
    if (started?.type !== 'SnapshotStarted' || started.direct === undefined)
      throw invalidRequest('INVALID_SNAPSHOT_ID', `Snapshot ${text} was not created with StartSnapshot.`);
    return record;
  }
}
