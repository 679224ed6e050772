import type { ec2 } from '@holdfast/aws-protocol';
import { callerOf, type RequestContext, type SnapshotId } from '@holdfast/contracts';
import { dryRunOperation, exceedsTagLimit, parseCreateTags, parseDeleteTags, type Tags, withTags } from '@holdfast/ec2';
import type { Clock } from '@holdfast/service-kit';
import { ownSnapshot } from './own-snapshot.ts';
import type { SnapshotStreams, SnapshotTable } from './ports.ts';
import { refusal } from './refusals.ts';
import { parseSnapshotId } from './ids.ts';

/** CreateTags, DeleteTags and DescribeTags, as far as they are about snapshots. */
export class SnapshotTags {
  constructor(
    private readonly snapshots: SnapshotStreams,
    private readonly table: SnapshotTable,
    private readonly clock: Clock,
  ) {}

  async create(input: Partial<ec2.CreateTagsRequest>, context: RequestContext): Promise<Record<string, never>> {
    const { resources, tags } = parseCreateTags(input);
    for (const snapshotId of await this.ownIds(resources, tags, input.DryRun, context)) {
      const command = { type: 'TagSnapshot', snapshotId, tags, at: this.clock.instant() } as const;
      await this.snapshots.handle(command, { caller: callerOf(context) });
    }
    return {};
  }

  async delete(input: Partial<ec2.DeleteTagsRequest>, context: RequestContext): Promise<Record<string, never>> {
    const { resources, removal } = parseDeleteTags(input);
    for (const snapshotId of await this.ownIds(resources, {}, input.DryRun, context)) {
      const command = { type: 'UntagSnapshot', snapshotId, removal, at: this.clock.instant() } as const;
      await this.snapshots.handle(command, { caller: callerOf(context) });
    }
    return {};
  }

  async describe(input: ec2.DescribeTagsRequest, context: RequestContext): Promise<ec2.DescribeTagsResult> {
    if (input.DryRun === true) throw dryRunOperation();
    const tags = await this.table.tags(input.Filters, context);
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
  private async ownIds(
    resources: readonly string[],
    added: Tags,
    dryRun: boolean | undefined,
    context: RequestContext,
  ): Promise<SnapshotId[]> {
    const ids = resources.map((text) => {
      const snapshotId = parseSnapshotId(text);
      if (snapshotId === null) throw refusal('SnapshotNotFound', { snapshotId: text });
      return snapshotId;
    });
    for (const snapshotId of ids) {
      const { tags } = await ownSnapshot(this.snapshots, snapshotId, context);
      if (exceedsTagLimit(withTags(tags, added))) throw refusal('TagLimitExceeded', { snapshotId });
    }
    if (dryRun === true) throw dryRunOperation();
    return ids;
  }
}
