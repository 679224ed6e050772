import type { ec2 } from '@holdfast/aws-protocol';
import { callerOf, type InstanceId, type RequestContext } from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';
import {
  dryRunOperation,
  parseCreateTags,
  parseDeleteTags,
  type RecordFilters,
  recordFilter,
  removedKeys,
  tagLimitExceeded,
} from '@holdfast/ec2';
import type { Clock } from '@holdfast/service-kit';
import type { ImageTags } from './image-tags.ts';
import type { KeyPairTags } from './key-pair-tags.ts';
import { checkedIdsExist, checkInstanceIds } from './instance-ids.ts';
import type { InstanceRow, InstanceStreams, InstanceTable } from './ports.ts';

const MOST_INSTANCES = 10_000;

export const TAG_FILTERS: RecordFilters<ec2.TagDescription> = {
  key: ({ Key }) => [Key],
  'resource-id': ({ ResourceId }) => [ResourceId],
  'resource-type': ({ ResourceType }) => [ResourceType],
  value: ({ Value }) => [Value],
};

const isImage = (id: string) => id.startsWith('ami-');
const isKeyPair = (id: string) => id.startsWith('key-');

/** CreateTags, DeleteTags and DescribeTags, as far as instances, images and key pairs are concerned. */
export class InstanceTags {
  constructor(
    private readonly streams: InstanceStreams,
    private readonly instances: InstanceTable,
    private readonly images: ImageTags,
    private readonly keyPairs: KeyPairTags,
    private readonly clock: Clock,
  ) {}

  async create(input: ec2.CreateTagsRequest, context: RequestContext): Promise<Record<string, never>> {
    const { resources, tags } = parseCreateTags(input);
    const { rows, imageIds, keyPairs } = await this.existing(resources, context);
    if (input.DryRun === true) throw dryRunOperation();
    for (const { instanceId } of rows) {
      const command = { type: 'TagInstance', instanceId, tags: { ...tags }, at: this.clock.instant() } as const;
      await this.streams.handle(command, callerOf(context)).catch(asTagError);
    }
    await this.images.tag(imageIds, tags, context);
    await this.keyPairs.tag(keyPairs, tags, context);
    return {};
  }

  async delete(input: ec2.DeleteTagsRequest, context: RequestContext): Promise<Record<string, never>> {
    const { resources, removal } = parseDeleteTags(input);
    const { rows, imageIds, keyPairs } = await this.existing(resources, context);
    if (input.DryRun === true) throw dryRunOperation();
    for (const { instanceId, tags } of rows) {
      const command = {
        type: 'UntagInstance',
        instanceId,
        keys: removedKeys(tags, removal),
        at: this.clock.instant(),
      } as const;
      await this.streams.handle(command, callerOf(context));
    }
    await this.images.untag(imageIds, removal, context);
    await this.keyPairs.untag(keyPairs, removal, context);
    return {};
  }

  /** Every tag of the caller's instances, images and key pairs that the filters match, unpaged: the gateway merges and pages. */
  async describe(input: ec2.DescribeTagsRequest, context: RequestContext): Promise<ec2.DescribeTagsResult> {
    const matches = recordFilter(input.Filters, TAG_FILTERS, ({ Key = '', Value = '' }) => ({ [Key]: Value }));
    const rows = await this.find([], context, MOST_INSTANCES);
    const all = rows.flatMap(({ instanceId, tags }) =>
      Object.entries(tags).map(([Key, Value]) => ({
        ResourceId: instanceId,
        ResourceType: 'instance' as ec2.ResourceType,
        Key,
        Value,
      })),
    );
    const own = [...all, ...(await this.keyPairs.describe(context))].filter(matches);
    return { Tags: [...own, ...(await this.images.describe(input.Filters, context))] };
  }

  private async existing(ids: readonly string[], context: RequestContext) {
    const instanceIds = ids.filter((id) => !isImage(id) && !isKeyPair(id));
    checkInstanceIds(instanceIds);
    const rows = instanceIds.length === 0 ? [] : await this.find(instanceIds, context, instanceIds.length);
    checkedIdsExist(instanceIds, rows);
    const keyPairs = await this.keyPairs.existing(ids.filter(isKeyPair), context);
    return { rows, keyPairs, imageIds: await this.images.existing(ids.filter(isImage), context) };
  }

  private find(ids: readonly string[], { accountId, region }: RequestContext, limit: number): Promise<InstanceRow[]> {
    const query = { accountId, region, instanceIds: ids as InstanceId[], after: null, limit };
    return this.instances.find({ ...query, terminatedAfter: new Date(0) });
  }
}

const asTagError = (error: unknown): never => {
  throw error instanceof DomainError && error.code === 'TooManyTags' ? tagLimitExceeded() : error;
};
