import type { ec2 } from '@holdfast/aws-protocol';
import type { RequestContext } from '@holdfast/contracts';
import { cutPage, dryRunOperation, pageSize, type PageTokens, refuseParameters } from '@holdfast/ec2';
import { cursorOf } from './describe-instances.ts';
import { instanceState } from './described-instance.ts';
import { checkedIdsExist, checkInstanceIds } from './instance-ids.ts';
import type { InstanceRow, InstanceTable } from './ports.ts';

const MAX_PAGE = 1000;
const RUNNING = { Name: 'instance-state-name', Values: ['running'] };

/** Nothing is checked of what nothing boots on: what runs is well. Without IncludeAllInstances only that is listed. */
export class DescribeInstanceStatus {
  constructor(
    private readonly instances: InstanceTable,
    private readonly tokens: PageTokens,
  ) {}

  async run(
    input: ec2.DescribeInstanceStatusRequest,
    context: RequestContext,
  ): Promise<ec2.DescribeInstanceStatusResult> {
    const { InstanceIds: ids = [], Filters, MaxResults, NextToken, IncludeAllInstances, DryRun, ...rest } = input;
    refuseParameters({ ...rest });
    if (DryRun === true) throw dryRunOperation();
    checkInstanceIds(ids);
    const limit = pageSize({ MaxResults, NextToken }, { maximum: MAX_PAGE, ids, idsParameter: 'instancesSet' });
    const { accountId, region } = context;
    const scope = { accountId, region, action: 'DescribeInstanceStatus' };
    const asked = { accountId, region, instanceIds: ids, terminatedAfter: new Date(0) };
    if (ids.length > 0) checkedIdsExist(ids, await this.instances.find({ ...asked, after: null, limit: ids.length }));
    const rows = await this.instances.find({
      ...asked,
      describes: 'status',
      filters: IncludeAllInstances === true ? Filters : [...(Filters ?? []), RUNNING],
      after: NextToken === undefined ? null : this.tokens.read(scope, NextToken),
      limit: limit + 1,
    });
    const { items, next } = cutPage(rows, limit, described, cursorOf);
    return { InstanceStatuses: items, NextToken: next === null ? undefined : this.tokens.issue(scope, next) };
  }
}

const described = ({ instanceId, state, availabilityZone }: InstanceRow): ec2.InstanceStatus => {
  const summary: ec2.InstanceStatusSummary =
    state === 'running'
      ? { Status: 'ok', Details: [{ Name: 'reachability', Status: 'passed' }] }
      : { Status: 'not-applicable', Details: [] };
  return {
    InstanceId: instanceId,
    AvailabilityZone: availabilityZone,
    InstanceState: instanceState(state),
    InstanceStatus: summary,
    SystemStatus: summary,
    AttachedEbsStatus: summary as ec2.EbsStatusSummary,
    Events: [],
  };
};
