import type { InstanceId } from '@holdfast/contracts';
import { filterConditions, SqlParameters } from '@holdfast/ec2';
import type { Sql } from '@holdfast/event-store';
import type { InstanceQuery, InstanceRow, InstanceTable } from '../../application/ports.ts';
import { instanceFilters, instanceStatusFilters } from './instance-filters.ts';

const COLUMNS = `instance_id AS "instanceId", reservation_id AS "reservationId", launch_index AS "launchIndex",
  account_id AS "accountId", region, image_id AS "imageId", architecture, instance_type AS "instanceType",
  availability_zone AS "availabilityZone", private_ip_address AS "privateIpAddress", host_id AS "hostId", state,
  launch_time AS "launchTime", termination_time AS "terminationTime", root_device_name AS "rootDeviceName",
  state_reason AS "stateReason", transition_reason AS "transitionReason",
  disable_api_termination AS "disableApiTermination", settings, key_name AS "keyName",
  instance_profile AS "instanceProfile", client_token AS "clientToken", tags`;

const FILTERS = { instances: instanceFilters, status: instanceStatusFilters };

export class PostgresInstanceTable implements InstanceTable {
  constructor(private readonly sql: Sql) {}

  find({
    accountId,
    region,
    instanceIds,
    filters,
    describes = 'instances',
    after,
    limit,
    terminatedAfter,
  }: InstanceQuery): Promise<InstanceRow[]> {
    const parameters = new SqlParameters();
    const conditions = [
      `account_id = ${parameters.add(accountId)}`,
      `region = ${parameters.add(region)}`,
      `(state <> 'terminated' OR termination_time >= ${parameters.add(terminatedAfter.toISOString())})`,
      ...filterConditions(filters, FILTERS[describes](accountId, region), 'tags', parameters),
    ];
    if (instanceIds.length > 0) conditions.push(`instance_id = ANY(${parameters.add(instanceIds)}::text[])`);
    if (after !== null) {
      const [time = '', id = ''] = after.split(' ');
      conditions.push(`(launch_time, instance_id) > (${parameters.add(time)}, ${parameters.add(id)})`);
    }
    const where = conditions.join(' AND ');
    const text = `SELECT ${COLUMNS} FROM instances WHERE ${where} ORDER BY launch_time, instance_id LIMIT ${parameters.add(limit)}`;
    return this.sql.query<InstanceRow>(text, parameters.values);
  }

  async byId(instanceId: InstanceId): Promise<InstanceRow | null> {
    const text = `SELECT ${COLUMNS} FROM instances WHERE instance_id = $1`;
    const [row] = await this.sql.query<InstanceRow>(text, [instanceId]);
    return row ?? null;
  }

  async count({ accountId, region }: { accountId: string; region: string }): Promise<number> {
    const [row] = await this.sql.query<{ count: number }>(
      `SELECT count(*)::integer AS count FROM instances WHERE account_id = $1 AND region = $2 AND state <> 'terminated'`,
      [accountId, region],
    );
    return row?.count ?? 0;
  }
}
