import type { ec2 } from '@holdfast/aws-protocol';
import { type AccountId, callerOf, type RequestContext, type SnapshotId } from '@holdfast/contracts';
import { dryRunOperation, exceedsTagLimit, parseCreateTags, parseDeleteTags, type Tags, withTags } from '@holdfast/ec2';
import type { Clock } from '@holdfast/service-kit';
import type { SnapshotStreams, SnapshotTable } from './ports.ts';
import { refusal } from './refusals.ts';
import { parseSnapshotId } from './ids.ts';
import type { Viewers } from './viewers.ts';

/**
 * CreateTags, DeleteTags and DescribeTags, as far as they are about snapshots. Whoever sees a shared snapshot may tag it; nobody
 * else sees those tags.
 */
export class SnapshotTags {
  constructor(
    private readonly snapshots: SnapshotStreams,
    private readonly table: SnapshotTable,
    private readonly viewers: Viewers,
    private readonly clock: Clock,
  ) {}

  async create(input: Partial<ec2.CreateTagsRequest>, context: RequestContext): Promise<Record<string, never>> {
    const { resources, tags } = parseCreateTags(input);
    for (const { snapshotId, viewer } of await this.seen(resources, tags, input.DryRun, context)) {
      const command = { type: 'TagSnapshot', snapshotId, viewer, tags, at: this.clock.instant() } as const;
      await this.snapshots.handle(command, { caller: callerOf(context) });
    }
    return {};
  }

  async delete(input: Partial<ec2.DeleteTagsRequest>, context: RequestContext): Promise<Record<string, never>> {
    const { resources, removal } = parseDeleteTags(input);
    for (const { snapshotId, viewer } of await this.seen(resources, {}, input.DryRun, context)) {
      const command = { type: 'UntagSnapshot', snapshotId, viewer, removal, at: this.clock.instant() } as const;
      await this.snapshots.handle(command, { caller: callerOf(context) });
    }
    return {};
  }

  async describe(input: ec2.DescribeTagsRequest, context: RequestContext): Promise<ec2.DescribeTagsResult> {
    if (input.DryRun === true) throw dryRunOperation();
    const tags = await this.table.tags(input.Filters, await this.viewers.viewer(context));
    return {
      Tags: tags.map(({ snapshotId, key, value }) => ({
        Key: key,
        ResourceId: snapshotId,
        ResourceType: 'snapshot',
        Value: value,
      })),
    };
  }

  /** All of them exist and have room for the tags, or nothing is tagged. */
  private async seen(
    resources: readonly string[],
    added: Tags,
    dryRun: boolean | undefined,
    context: RequestContext,
  ): Promise<{ snapshotId: SnapshotId; viewer: AccountId | undefined }[]> {
    const ids = resources.map((text) => {
      const snapshotId = parseSnapshotId(text);
      if (snapshotId === null) throw refusal('SnapshotNotFound', { snapshotId: text });
      return snapshotId;
    });
    const seen = [];
    for (const snapshotId of ids) {
      const record = await this.viewers.record(snapshotId, context.region, context);
      const { tags, viewerTags, status, started } = await this.snapshots.load(snapshotId);
      const isOwn = started?.ownerId === context.accountId && started.region === context.region;
      // In the Recycle Bin it is to be seen by nobody, and its owner may still tag it.
      if (record === null && !(isOwn && status === 'recycled')) throw refusal('SnapshotNotFound', { snapshotId });
      const viewer = isOwn ? undefined : context.accountId;
      const theirs = viewer === undefined ? tags : (viewerTags[viewer] ?? {});
      if (exceedsTagLimit(withTags(theirs, added))) throw refusal('TagLimitExceeded', { snapshotId });
      seen.push({ snapshotId, viewer });
    }
    if (dryRun === true) throw dryRunOperation();
    return seen;
  }
}
