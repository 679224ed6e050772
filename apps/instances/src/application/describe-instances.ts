import type { ec2 } from '@holdfast/aws-protocol';
import type { RequestContext } from '@holdfast/contracts';
import { cutPage, dryRunOperation, type Filter, pageSize, type PageTokens, refuseParameters } from '@holdfast/ec2';
import type { Clock } from '@holdfast/service-kit';
import { instancesWithDevices, splitFilters } from './device-filters.ts';
import { checkInstanceIds, checkedIdsExist } from './instance-ids.ts';
import { describedInstance } from './described-instance.ts';
import type { Attachments, InstanceRow, InstanceTable } from './ports.ts';

const MAX_PAGE = 1000;
/** Terminated instances can be seen for about an hour. */
const TERMINATED_VISIBLE_MS = 3_600_000;

export class DescribeInstances {
  constructor(
    private readonly instances: InstanceTable,
    private readonly attachments: Attachments,
    private readonly tokens: PageTokens,
    private readonly clock: Clock,
  ) {}

  async run(input: ec2.DescribeInstancesRequest, context: RequestContext): Promise<ec2.DescribeInstancesResult> {
    const { InstanceIds = [], Filters, MaxResults, NextToken, DryRun, ...rest } = input;
    if (DryRun === true) throw dryRunOperation();
    refuseParameters({ ...rest });
    checkInstanceIds(InstanceIds);
    const limit = pageSize(
      { MaxResults, NextToken },
      { maximum: MAX_PAGE, ids: InstanceIds, idsParameter: 'instancesSet' },
    );
    const { accountId, region } = context;
    const scope = { accountId, region, action: 'DescribeInstances' };
    const { devices, others } = splitFilters(Filters);
    const rows = await this.instances.find({
      ...{ accountId, region, filters: others },
      instanceIds: devices.length === 0 ? InstanceIds : await this.withDevices(devices, InstanceIds, context),
      after: NextToken === undefined ? null : this.tokens.read(scope, NextToken),
      limit: limit + 1,
      terminatedAfter: new Date(this.clock.now().getTime() - TERMINATED_VISIBLE_MS),
    });
    if (Filters === undefined) checkedIdsExist(InstanceIds, rows);
    const { items, next } = cutPage(rows, limit, (row) => row, cursorOf);
    return {
      Reservations: await this.reservations(items, context),
      ...(next === null ? {} : { NextToken: this.tokens.issue(scope, next) }),
    };
  }

  /** Those of the ids (empty: of all) whose devices match. */
  private async withDevices(
    filters: readonly Filter[],
    instanceIds: readonly string[],
    context: RequestContext,
  ): Promise<readonly string[]> {
    const found = instancesWithDevices(filters, await this.attachments.all(context));
    const wanted = instanceIds.length === 0 ? found : found.filter((id) => instanceIds.includes(id));
    // No instance has the empty id, and no id at all would mean every instance.
    return wanted.length === 0 ? [''] : wanted;
  }

  private async reservations(rows: readonly InstanceRow[], context: RequestContext): Promise<ec2.Reservation[]> {
    const attachments = rows.length === 0 ? [] : await this.attachments.of(rows.map(({ instanceId }) => instanceId), context); // prettier-ignore
    const byReservation = new Map<string, ec2.Instance[]>();
    for (const row of rows) {
      const instances = byReservation.get(row.reservationId) ?? [];
      instances.push(
        describedInstance(
          row,
          attachments.filter(({ instanceId }) => instanceId === row.instanceId),
        ),
      );
      byReservation.set(row.reservationId, instances);
    }
    return [...byReservation].map(([ReservationId, Instances]) => ({ ReservationId, OwnerId: context.accountId, Groups: [], Instances })); // prettier-ignore
  }
}

/** Position in the order in which pages are read. */
export const cursorOf = (row: InstanceRow) => `${row.launchTime} ${row.instanceId}`;
