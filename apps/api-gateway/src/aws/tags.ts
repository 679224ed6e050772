import type { ec2 } from '@holdfast/aws-protocol';
import { AwsError, type RequestContext } from '@holdfast/contracts';
import { dryRunOperation, pageSize, type PageTokens, parseCreateTags, parseDeleteTags } from '@holdfast/ec2';
import type { Requests, ServiceName } from '@holdfast/messaging';

/** Each service keeps the tags of its own resources. */
const OWNER_BY_PREFIX: Readonly<Record<string, ServiceName>> = {
  vol: 'volumes',
  snap: 'snapshots',
  i: 'instances',
  ami: 'instances',
  key: 'instances',
};
const OWNERS = [...new Set(Object.values(OWNER_BY_PREFIX))];

const MAX_PAGE = 1000;

/** Null: nobody tags such a resource. */
export const tagOwner = (resourceId: string): ServiceName | null =>
  OWNER_BY_PREFIX[resourceId.slice(0, resourceId.indexOf('-'))] ?? null;

type TagRequest = ec2.CreateTagsRequest | ec2.DeleteTagsRequest;

/** CreateTags, DeleteTags and DescribeTags over the services that own tagged resources. */
export class Tags {
  constructor(
    private readonly requests: Requests,
    private readonly tokens: PageTokens,
  ) {}

  run(action: string, input: unknown, context: RequestContext): Promise<unknown> {
    if (action === 'DescribeTags') return this.describe(input as ec2.DescribeTagsRequest, context);
    return this.change(action, input as TagRequest, context);
  }

  /** Every owner is asked with DryRun first, so that one resource that is not there leaves the others as they were. */
  private async change(action: string, input: TagRequest, context: RequestContext): Promise<unknown> {
    if (action === 'CreateTags') parseCreateTags(input);
    else parseDeleteTags(input);
    const parts = [...this.byOwner(input.Resources ?? [])];
    for (const [owner, Resources] of parts) {
      await this.requests.request(owner, action, { ...input, Resources, DryRun: true }, context).catch(exceptDryRun);
    }
    if (input.DryRun === true) throw dryRunOperation();
    for (const [owner, Resources] of parts)
      await this.requests.request(owner, action, { ...input, Resources }, context);
    return {};
  }

  private byOwner(resources: readonly string[]): Map<ServiceName, string[]> {
    const parts = new Map<ServiceName, string[]>();
    for (const id of resources) {
      const owner = tagOwner(id);
      if (owner === null) throw new AwsError({ code: 'InvalidID', message: `The ID '${id}' is not valid` });
      parts.set(owner, [...(parts.get(owner) ?? []), id]);
    }
    return parts;
  }

  private async describe(input: ec2.DescribeTagsRequest, context: RequestContext): Promise<ec2.DescribeTagsResult> {
    const { MaxResults, NextToken, ...rest } = input;
    const limit = pageSize({ MaxResults, NextToken }, { maximum: MAX_PAGE, ids: [], idsParameter: '' });
    const scope = { accountId: context.accountId, region: context.region, action: 'DescribeTags' };
    const after = NextToken === undefined ? '' : this.tokens.read(scope, NextToken);
    const parts = await Promise.all(
      OWNERS.map((owner) => this.requests.request<ec2.DescribeTagsResult>(owner, 'DescribeTags', rest, context)),
    );
    const sorted = parts
      .flatMap(({ Tags: tags = [] }) => tags)
      .map((tag) => ({ tag, position: `${tag.ResourceId ?? ''}\u0000${tag.Key ?? ''}` }))
      .filter(({ position }) => position > after)
      .sort((a, b) => (a.position < b.position ? -1 : 1));
    const page = sorted.slice(0, limit);
    const last = sorted.length > limit ? page.at(-1) : undefined;
    return {
      Tags: page.map(({ tag }) => tag),
      ...(last === undefined ? {} : { NextToken: this.tokens.issue(scope, last.position) }),
    };
  }
}

const exceptDryRun = (error: unknown): void => {
  if (!(error instanceof AwsError) || error.code !== 'DryRunOperation') throw error;
};
