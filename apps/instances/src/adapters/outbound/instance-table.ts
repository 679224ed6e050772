import type { InstanceId } from '@holdfast/contracts';
import { column, filterConditions, type SqlFilter, SqlParameters } from '@holdfast/ec2';
import type { Sql } from '@holdfast/event-store';
import { defaultVpc, SECURITY_GROUP_NAME } from '../../domain/default-vpc.ts';
import type { InstanceQuery, InstanceRow, InstanceTable } from '../../application/ports.ts';

const COLUMNS = `instance_id AS "instanceId", reservation_id AS "reservationId", launch_index AS "launchIndex",
  account_id AS "accountId", region, image_id AS "imageId", architecture, instance_type AS "instanceType",
  availability_zone AS "availabilityZone", private_ip_address AS "privateIpAddress", host_id AS "hostId", state,
  launch_time AS "launchTime", termination_time AS "terminationTime", root_device_name AS "rootDeviceName",
  state_reason AS "stateReason", transition_reason AS "transitionReason",
  disable_api_termination AS "disableApiTermination", settings, tags`;

const STATE_CODE = `CASE state WHEN 'pending' THEN '0' WHEN 'running' THEN '16' WHEN 'shutting-down' THEN '32'
  WHEN 'stopping' THEN '64' WHEN 'stopped' THEN '80' ELSE '48' END`;

/** What an instance's place in the default VPC comes to. Ids are made of hexadecimal digits, so that they can be quoted. */
const networkFilters = (accountId: string, region: string): Readonly<Record<string, SqlFilter>> => {
  const { vpcId, securityGroupId, subnets } = defaultVpc(accountId, region);
  const ended = `state = 'terminated'`;
  const cases = subnets.map(({ zoneName, subnetId }) => `WHEN availability_zone = '${zoneName}' THEN '${subnetId}'`);
  const ofLiving = (value: string) => column(`(CASE WHEN ${ended} THEN NULL ELSE '${value}' END)`);
  const subnetId = column(`(CASE WHEN ${ended} THEN NULL ${cases.join(' ')} END)`);
  return {
    'instance.group-id': ofLiving(securityGroupId),
    'instance.group-name': ofLiving(SECURITY_GROUP_NAME),
    'network-interface.group-id': ofLiving(securityGroupId),
    'network-interface.group-name': ofLiving(SECURITY_GROUP_NAME),
    'network-interface.subnet-id': subnetId,
    'network-interface.vpc-id': ofLiving(vpcId),
    'source-dest-check': ofLiving('true'),
    'subnet-id': subnetId,
    'vpc-id': ofLiving(vpcId),
  };
};

const FILTERS: Readonly<Record<string, SqlFilter>> = {
  architecture: column('architecture'),
  'availability-zone': column('availability_zone'),
  'image-id': column('image_id'),
  hypervisor: column(`'xen'`),
  'instance-id': column('instance_id'),
  'instance-lifecycle': column('NULL::text'),
  'instance-state-code': column(STATE_CODE),
  'instance-state-name': column('state'),
  'instance-type': column('instance_type'),
  'launch-index': column('launch_index::text'),
  'key-name': column('NULL::text'),
  'launch-time': column('launch_time'),
  'monitoring-state': column(`'disabled'`),
  'owner-id': column('account_id'),
  'private-ip-address': column('private_ip_address'),
  reason: column('transition_reason'),
  'reservation-id': column('reservation_id'),
  'root-device-name': column('root_device_name'),
  'root-device-type': column(`CASE WHEN root_device_name IS NULL THEN 'instance-store' ELSE 'ebs' END`),
  'state-reason-code': column(`(state_reason ->> 'code')`),
  'state-reason-message': column(`(state_reason ->> 'message')`),
  tenancy: column(`'default'`),
  'virtualization-type': column(`'hvm'`),
};

export class PostgresInstanceTable implements InstanceTable {
  constructor(private readonly sql: Sql) {}

  find({
    accountId,
    region,
    instanceIds,
    filters,
    after,
    limit,
    terminatedAfter,
  }: InstanceQuery): Promise<InstanceRow[]> {
    const parameters = new SqlParameters();
    const conditions = [
      `account_id = ${parameters.add(accountId)}`,
      `region = ${parameters.add(region)}`,
      `(state <> 'terminated' OR termination_time >= ${parameters.add(terminatedAfter.toISOString())})`,
      ...filterConditions(filters, { ...FILTERS, ...networkFilters(accountId, region) }, 'tags', parameters),
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
