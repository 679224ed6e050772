import type { Instant } from '@holdfast/contracts';
import { assertNever } from '@holdfast/decider';
import type { DomainEvent, InlineProjection, Sql, StoredEvent } from '@holdfast/event-store';
import { type StateReason, USER_INITIATED } from '../domain/block-devices.ts';
import type { InstanceEvent } from '../domain/instance.events.ts';
import type { DatedProfileAssociation, ProfileAssociation } from '../domain/instance-profile.ts';
import type { InstancesReserved } from '../domain/reservation.events.ts';

type Launched = Extract<InstanceEvent, { type: 'InstanceLaunched' }>;

const insert = (event: Launched, sql: Sql) =>
  sql.query(
    `INSERT INTO instances (instance_id, reservation_id, launch_index, account_id, region, image_id, instance_type,
       availability_zone, private_ip_address, host_id, state, launch_time, tags, root_device_name,
       disable_api_termination, architecture, settings, key_name, instance_profile, client_token)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'pending', $11, $12, $13, $14, $15, $16, $17, $18, $19)`,
    [
      event.instanceId,
      event.reservationId,
      event.launchIndex,
      event.accountId,
      event.region,
      event.imageId,
      event.instanceType,
      event.availabilityZone,
      event.privateIpAddress,
      event.hostId,
      event.at,
      JSON.stringify(event.tags),
      event.rootDeviceName ?? null,
      event.disableApiTermination ?? false,
      event.architecture ?? 'x86_64',
      JSON.stringify(event.settings ?? {}),
      event.keyName ?? null,
      event.instanceProfile === undefined ? null : datedProfile(event.instanceProfile, event.at),
      event.clientToken ?? null,
    ],
  );

const setState = (state: string, { instanceId }: InstanceEvent, sql: Sql) =>
  sql.query('UPDATE instances SET state = $2 WHERE instance_id = $1', [instanceId, state]);

/** @param at of a transition that the user asked for: it is told with it. */
const setReason = (instanceId: string, state: string, reason: StateReason, at: string, sql: Sql) =>
  sql.query('UPDATE instances SET state = $2, state_reason = $3, transition_reason = $4 WHERE instance_id = $1', [
    instanceId,
    state,
    JSON.stringify(reason),
    reason === USER_INITIATED ? `User initiated (${at})` : reason.code,
  ]);

/** Adds to, and replaces within, what the row has. */
const merge = (column: 'tags' | 'settings', instanceId: string, values: object, sql: Sql) =>
  sql.query(`UPDATE instances SET ${column} = ${column} || $2::jsonb WHERE instance_id = $1`, [
    instanceId,
    JSON.stringify(values),
  ]);

const set = (
  column: 'disable_api_termination' | 'instance_type' | 'instance_profile',
  { instanceId }: InstanceEvent,
  value: string | boolean | null,
  sql: Sql,
) => sql.query(`UPDATE instances SET ${column} = $2 WHERE instance_id = $1`, [instanceId, value]);

/** As the row has it: with the time at which the instance got it. */
const datedProfile = (profile: ProfileAssociation, at: Instant): string => {
  const dated: DatedProfileAssociation = { ...profile, at };
  return JSON.stringify(dated);
};

const project = async ({ data }: StoredEvent<InstanceEvent | InstancesReserved>, sql: Sql): Promise<void> => {
  switch (data.type) {
    case 'InstancesReserved':
      return; // Each instance is shown once it is launched.
    case 'InstanceLaunched':
      await insert(data, sql);
      return;
    case 'LaunchVolumeCreated':
      return; // Its attachment is the volumes service's to show.
    case 'InstanceLaunchFailed':
      await setReason(data.instanceId, 'shutting-down', data.reason, data.at, sql);
      await sql.query('UPDATE instances SET termination_time = $2 WHERE instance_id = $1', [data.instanceId, data.at]);
      return;
    case 'InstanceStopStarted':
      await setReason(data.instanceId, 'stopping', USER_INITIATED, data.at, sql);
      return;
    case 'InstanceStopped':
      await setState('stopped', data, sql);
      return;
    case 'InstanceStartRequested':
      await setState('pending', data, sql);
      await sql.query(`UPDATE instances SET state_reason = NULL, transition_reason = '' WHERE instance_id = $1`, [
        data.instanceId,
      ]);
      return;
    case 'InstanceStartFailed':
      await setReason(data.instanceId, 'stopped', data.reason, data.at, sql);
      return;
    case 'TerminationProtectionChanged':
      await set('disable_api_termination', data, data.disableApiTermination, sql);
      return;
    case 'InstanceSettingsChanged':
      await merge('settings', data.instanceId, data.settings, sql);
      return;
    case 'InstanceTypeChanged':
      await set('instance_type', data, data.instanceType, sql);
      return;
    case 'InstanceStarted':
      await setState('running', data, sql);
      return;
    case 'InstanceProfileAssociated':
      await set('instance_profile', data, datedProfile(data.instanceProfile, data.at), sql);
      return;
    case 'InstanceProfileDisassociated':
      await set('instance_profile', data, null, sql);
      return;
    case 'InstanceTerminationStarted':
      await setReason(data.instanceId, 'shutting-down', USER_INITIATED, data.at, sql);
      await sql.query('UPDATE instances SET termination_time = $2 WHERE instance_id = $1', [data.instanceId, data.at]);
      return;
    case 'InstanceTerminated':
      await setState('terminated', data, sql);
      return;
    case 'InstanceTagged':
      await merge('tags', data.instanceId, data.tags, sql);
      return;
    case 'InstanceUntagged':
      await sql.query('UPDATE instances SET tags = tags - $2::text[] WHERE instance_id = $1', [
        data.instanceId,
        data.keys,
      ]);
      return;
    default:
      return assertNever(data);
  }
};

/** What DescribeInstances and GetInstance read. Events of the service's other streams are not its own. */
export const instancesProjection: InlineProjection = {
  name: 'instances',
  project: async (event: StoredEvent<DomainEvent>, sql) => {
    if (!/^(?:image|key)-/.test(event.streamId))
      await project(event as StoredEvent<InstanceEvent | InstancesReserved>, sql);
  },
};
