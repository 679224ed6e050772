import type { ec2 } from '@holdfast/aws-protocol';
import { AwsError, type RequestContext } from '@holdfast/contracts';
import {
  cutPage,
  dryRunOperation,
  type Filter,
  missingParameter,
  pageSize,
  type PageTokens,
  recordFilter,
  refuseParameters,
} from '@holdfast/ec2';
import type { Clock } from '@holdfast/service-kit';
import { cpuCreditsOf } from '../domain/instance-settings.ts';
import { cursorOf } from './describe-instances.ts';
import { checkedIdsExist, checkInstanceIds } from './instance-ids.ts';
import { ownInstance } from './own-instance.ts';
import type { InstanceRow, InstanceTable } from './ports.ts';

const MAX_PAGE = 1000;

/** What EC2 offers for guests, of which there are none: reboots, consoles, CPU credits. */
export class InstanceExtras {
  constructor(
    private readonly instances: InstanceTable,
    private readonly tokens: PageTokens,
    private readonly clock: Clock,
  ) {}

  /** All of them, or none. Nothing booted, so that nothing changes: devices and keys stay as they are, as on AWS. */
  async reboot(
    input: Partial<ec2.RebootInstancesRequest>,
    { accountId, region }: RequestContext,
  ): Promise<Record<string, never>> {
    const { InstanceIds: ids = [], DryRun, ...rest } = input;
    refuseParameters({ ...rest });
    if (ids.length === 0) throw missingParameter('InstanceId');
    checkInstanceIds(ids);
    const everything = { after: null, limit: ids.length, terminatedAfter: new Date(0) };
    const rows = await this.instances.find({ accountId, region, instanceIds: ids, ...everything });
    checkedIdsExist(ids, rows);
    const unfit = rows.find(({ state }) => state !== 'running' && state !== 'pending');
    if (unfit !== undefined)
      throw new AwsError({
        code: 'IncorrectInstanceState',
        message: `The instance '${unfit.instanceId}' is not in a state from which it can be rebooted.`,
      });
    if (DryRun === true) throw dryRunOperation();
    return {};
  }

  /** Nothing ever wrote to it. `Latest` asks for the same. */
  async consoleOutput(
    { InstanceId, Latest: _, DryRun, ...rest }: Partial<ec2.GetConsoleOutputRequest>,
    context: RequestContext,
  ): Promise<ec2.GetConsoleOutputResult> {
    refuseParameters({ ...rest });
    const { instanceId } = await ownInstance(this.instances, InstanceId, context);
    if (DryRun === true) throw dryRunOperation();
    return { InstanceId: instanceId, Timestamp: this.clock.instant(), Output: '' };
  }

  /** Of burstable instances: what was set, or what their types begin with. */
  async creditSpecifications(
    input: ec2.DescribeInstanceCreditSpecificationsRequest,
    context: RequestContext,
  ): Promise<ec2.DescribeInstanceCreditSpecificationsResult> {
    const { InstanceIds: ids = [], Filters, MaxResults, NextToken, DryRun, ...rest } = input;
    refuseParameters({ ...rest });
    if (DryRun === true) throw dryRunOperation();
    checkInstanceIds(ids);
    const limit = pageSize({ MaxResults, NextToken }, { maximum: MAX_PAGE, ids, idsParameter: 'instancesSet' });
    const filters: Filter[] | undefined = Filters;
    const matches = recordFilter(filters, { 'instance-id': ({ instanceId }: InstanceRow) => [instanceId] });
    const { accountId, region } = context;
    const scope = { accountId, region, action: 'DescribeInstanceCreditSpecifications' };
    const rows = await this.instances.find({
      ...{ accountId, region, instanceIds: ids, terminatedAfter: new Date(0) },
      filters: [{ Name: 'instance-type', Values: ['t2.*', 't3.*', 't3a.*', 't4g.*'] }],
      after: NextToken === undefined ? null : this.tokens.read(scope, NextToken),
      limit: limit + 1,
    });
    if (ids.length > 0)
      checkedIdsExist(ids, await this.instances.find({ accountId, region, instanceIds: ids, after: null, limit: ids.length, terminatedAfter: new Date(0) })); // prettier-ignore
    const described = ({ instanceId, instanceType, settings }: InstanceRow): ec2.InstanceCreditSpecification => ({
      InstanceId: instanceId,
      CpuCredits: cpuCreditsOf(instanceType, settings) ?? undefined,
    });
    const { items, next } = cutPage(rows, limit, described, cursorOf);
    const wanted = new Set(rows.filter(matches).map(({ instanceId }) => instanceId as string));
    return {
      InstanceCreditSpecifications: items.filter(({ InstanceId = '' }) => wanted.has(InstanceId)),
      NextToken: next === null ? undefined : this.tokens.issue(scope, next),
    };
  }
}
