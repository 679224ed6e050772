import type { ec2 } from '@holdfast/aws-protocol';
import { AwsError, type InternalRequests, type RequestContext, type SnapshotRecord } from '@holdfast/contracts';
import type { RequestHandlers } from '@holdfast/messaging';

type Internal = InternalRequests['snapshots'];
type Kept = SnapshotRecord & { region: string; sharedWith: string[]; description: string };

/** Snapshots as images ask for them, in memory. */
export class FakeSnapshots {
  readonly snapshots = new Map<string, Kept>();
  readonly copies: Internal['CopyImageSnapshot']['in'][] = [];
  /** How a snapshot begins that is made now. */
  begins: SnapshotRecord['state'] = 'completed';
  /** What the next one is refused with. */
  refusal: AwsError | null = null;
  /** Snapshots that images are made of can't be deleted: what a service asks the instances service for. */
  inUse = new Set<string>();
  /** How long a retention rule keeps an image with these tags that is deregistered. */
  retention: (tags: Record<string, string>) => number | null = () => null;

  add(snapshotId: string, fields: Partial<Kept> = {}): string {
    const basics = { ownerId: '111122223333', region: 'eu-central-1', state: 'completed', volumeSizeGiB: 8, dataKey: null };
    this.snapshots.set(snapshotId, { snapshotId, ...basics, sharedWith: [], description: '', ...fields } as Kept);
    return snapshotId;
  } // prettier-ignore

  encrypted(snapshotId: string, keyArn: string, fields: Partial<Kept> = {}): string {
    return this.add(snapshotId, { dataKey: { keyArn } as Kept['dataKey'], ...fields });
  }

  private begin(snapshotId: string, context: RequestContext, fields: Partial<Kept>) {
    if (this.snapshots.has(snapshotId)) return {};
    if (this.refusal !== null) throw this.refusal;
    const { accountId: ownerId, region } = context;
    this.add(snapshotId, { ownerId, region, state: this.begins, ...fields });
    return {};
  }

  readonly handlers = {
    GetSnapshot: ({ snapshotId }: Internal['GetSnapshot']['in'], { accountId, region }: RequestContext) => {
      const found = this.snapshots.get(snapshotId);
      const visible = found?.ownerId === accountId || found?.sharedWith.includes(accountId) === true;
      return Promise.resolve(visible && found?.region === region ? found : null);
    },
    GetRetention: ({ tags }: Internal['GetRetention']['in']) => Promise.resolve({ days: this.retention(tags) }),
    CreateImageSnapshots: async (input: Internal['CreateImageSnapshots']['in'], context: RequestContext) =>
      Promise.resolve().then(() => {
        const { snapshots, description } = input;
        for (const { snapshotId } of snapshots) this.begin(snapshotId, context, { description });
        return {};
      }),
    CopyImageSnapshot: async (input: Internal['CopyImageSnapshot']['in'], context: RequestContext) =>
      Promise.resolve().then(() => {
        this.copies.push(input);
        return this.begin(input.snapshotId, context, { description: input.description });
      }),
    DeleteSnapshot: async ({ SnapshotId }: ec2.DeleteSnapshotRequest) =>
      Promise.resolve().then(() => {
        if (this.inUse.has(SnapshotId)) throw new AwsError({ code: 'InvalidSnapshot.InUse', message: 'in use' });
        if (!this.snapshots.delete(SnapshotId)) throw new AwsError({ code: 'InvalidSnapshot.NotFound', message: 'no' });
        return {};
      }),
  } as unknown as RequestHandlers;
}
