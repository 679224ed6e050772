import type { AttachmentRecord, Caller, InstanceId, RequestContext } from '@holdfast/contracts';
import type { ClientToken } from '@holdfast/event-store';
import type { StateReason } from '../domain/block-devices.ts';
import type { DatedProfileAssociation } from '../domain/instance-profile.ts';
import type { InstanceSettings } from '../domain/instance-settings.ts';
import type { InstanceCommand, InstanceState } from '../domain/instance.decider.ts';
import type { InstancesReserved } from '../domain/reservation.events.ts';

/** Streams of instances. */
export interface InstanceStreams {
  /** @throws DomainError InstanceErrorCode */
  handle(command: InstanceCommand, caller: Caller): Promise<void>;
  load(instanceId: InstanceId): Promise<InstanceState>;
}

export interface ReservationStreams {
  /** @throws ClientTokenUsed, and appends nothing then. */
  append(reservation: InstancesReserved, caller: Caller, clientToken?: ClientToken): Promise<void>;
  read(reservationId: string): Promise<InstancesReserved | null>;
  findClientToken(scope: string, token: string): Promise<ClientToken | null>;
}

/** One instance as DescribeInstances reads it. */
export interface InstanceRow {
  instanceId: InstanceId;
  reservationId: string;
  launchIndex: number;
  accountId: string;
  region: string;
  imageId: string;
  architecture: string;
  instanceType: string;
  availabilityZone: string;
  privateIpAddress: string;
  hostId: string;
  state: 'pending' | 'running' | 'shutting-down' | 'terminated' | 'stopping' | 'stopped';
  launchTime: string;
  terminationTime: string | null;
  /** Null: nothing is booted. */
  rootDeviceName: string | null;
  /** Why it is stopped or ended. */
  stateReason: StateReason | null;
  /** What DescribeInstances tells about the latest transition. */
  transitionReason: string;
  disableApiTermination: boolean;
  settings: InstanceSettings;
  keyName: string | null;
  instanceProfile: DatedProfileAssociation | null;
  clientToken: string | null;
  tags: Record<string, string>;
}

export interface InstanceFilter {
  Name?: string;
  Values?: string[];
}

export interface InstanceQuery {
  accountId: string;
  region: string;
  instanceIds: readonly string[];
  filters?: readonly InstanceFilter[];
  /** Whose filters they are, DescribeInstances' (when absent) or DescribeInstanceStatus'. */
  describes?: 'instances' | 'status';
  /** Only instances after this one in the order of reservation and launch index; the cursor of a former page. */
  after: string | null;
  limit: number;
  /** Instances terminated before this are forgotten. */
  terminatedAfter: Date;
}

export interface InstanceTable {
  /** @throws AwsError for a filter that EC2 does not know. */
  find(query: InstanceQuery): Promise<InstanceRow[]>;
  byId(instanceId: InstanceId): Promise<InstanceRow | null>;
  /** The account's instances in the Region that have not ended. */
  count(scope: { accountId: string; region: string }): Promise<number>;
}

export interface Attachments {
  of(instanceIds: readonly InstanceId[], context: RequestContext): Promise<AttachmentRecord[]>;
  /** Of all the caller's instances in the Region. */
  all(context: RequestContext): Promise<AttachmentRecord[]>;
}
