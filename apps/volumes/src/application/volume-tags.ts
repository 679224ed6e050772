import type { ec2 } from '@holdfast/aws-protocol';
import { callerOf, type RequestContext, type VolumeId } from '@holdfast/contracts';
import { dryRunOperation, exceedsTagLimit, parseCreateTags, parseDeleteTags, type Tags, withTags } from '@holdfast/ec2';
import type { Clock } from '@holdfast/service-kit';
import { ownOrRecycled } from './own-volume.ts';
import type { VolumeStreams, VolumeTable } from './ports.ts';
import { refusal } from './refusals.ts';
import { parseVolumeId } from './volume-ids.ts';

/** CreateTags, DeleteTags and DescribeTags, as far as they are about volumes: also about those in the Recycle Bin. */
export class VolumeTags {
  constructor(
    private readonly volumes: VolumeStreams,
    private readonly table: VolumeTable,
    private readonly clock: Clock,
  ) {}

  async create(input: Partial<ec2.CreateTagsRequest>, context: RequestContext): Promise<Record<string, never>> {
    const { resources, tags } = parseCreateTags(input);
    for (const volumeId of await this.ownIds(resources, tags, input.DryRun, context)) {
      const command = { type: 'TagVolume', volumeId, tags, at: this.clock.instant() } as const;
      await this.volumes.handle(command, { caller: callerOf(context) });
    }
    return {};
  }

  async delete(input: Partial<ec2.DeleteTagsRequest>, context: RequestContext): Promise<Record<string, never>> {
    const { resources, removal } = parseDeleteTags(input);
    for (const volumeId of await this.ownIds(resources, {}, input.DryRun, context)) {
      const command = { type: 'UntagVolume', volumeId, removal, at: this.clock.instant() } as const;
      await this.volumes.handle(command, { caller: callerOf(context) });
    }
    return {};
  }

  async describe(input: ec2.DescribeTagsRequest, context: RequestContext): Promise<ec2.DescribeTagsResult> {
    if (input.DryRun === true) throw dryRunOperation();
    const tags = await this.table.tags(input.Filters, context);
    return {
      Tags: tags.map(({ volumeId, key, value }) => ({
        Key: key,
        ResourceId: volumeId,
        ResourceType: 'volume',
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
  ): Promise<VolumeId[]> {
    const ids = resources.map((text) => {
      const volumeId = parseVolumeId(text);
      if (volumeId === null) throw refusal('VolumeNotFound', { volumeId: text });
      return volumeId;
    });
    for (const volumeId of ids) {
      const { tags } = await ownOrRecycled(this.volumes, volumeId, context);
      if (exceedsTagLimit(withTags(tags, added))) throw refusal('TagLimitExceeded', { volumeId });
    }
    if (dryRun === true) throw dryRunOperation();
    return ids;
  }
}
