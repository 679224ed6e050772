import type { ec2 } from '@holdfast/aws-protocol';
import { AwsError, callerOf, type RequestContext } from '@holdfast/contracts';
import { dryRunOperation, missingParameter, refuseParameters } from '@holdfast/ec2';
import type { Clock } from '@holdfast/service-kit';
import { instanceState } from './described-instance.ts';
import { checkedIdsExist, checkInstanceIds } from './instance-ids.ts';
import { incorrectState, refusedLate, stopProtected } from './instance-refusals.ts';
import type { InstanceRow, InstanceStreams, InstanceTable } from './ports.ts';

type Transition = 'StopInstance' | 'StartInstance';
type Changes = ec2.InstanceStateChange[];

/** StopInstances and StartInstances: all of them, or none. Repeating either changes nothing. */
export class StopAndStart {
  constructor(
    private readonly streams: InstanceStreams,
    private readonly instances: InstanceTable,
    private readonly clock: Clock,
  ) {}

  /** `Force` and `SkipOsShutdown` ask for what is done anyway: no guest is asked. */
  async stop(input: Partial<ec2.StopInstancesRequest>, context: RequestContext): Promise<ec2.StopInstancesResult> {
    const { InstanceIds, DryRun, Force: _, SkipOsShutdown: _skip, Hibernate, ...rest } = input;
    refuseParameters({ ...rest, Hibernate: Hibernate === true ? true : undefined });
    const rows = await this.rows(InstanceIds, DryRun, context);
    for (const row of rows) checkStoppable(row);
    return { StoppingInstances: await this.begin('StopInstance', rows, context) };
  }

  async start(input: Partial<ec2.StartInstancesRequest>, context: RequestContext): Promise<ec2.StartInstancesResult> {
    const { InstanceIds, DryRun, ...rest } = input;
    refuseParameters({ ...rest });
    const rows = await this.rows(InstanceIds, DryRun, context);
    for (const row of rows) checkStartable(row);
    return { StartingInstances: await this.begin('StartInstance', rows, context) };
  }

  private async rows(ids: readonly string[] = [], dryRun: boolean | undefined, { accountId, region }: RequestContext) {
    if (ids.length === 0) throw missingParameter('InstanceId');
    checkInstanceIds(ids);
    const everything = { after: null, limit: ids.length, terminatedAfter: new Date(0) };
    const rows = await this.instances.find({ accountId, region, instanceIds: ids, ...everything });
    checkedIdsExist(ids, rows);
    if (dryRun === true) throw dryRunOperation();
    return rows;
  }

  private async begin(type: Transition, rows: readonly InstanceRow[], context: RequestContext): Promise<Changes> {
    const changes: Changes = [];
    for (const { instanceId, state } of rows) {
      await this.streams
        .handle({ type, instanceId, at: this.clock.instant() }, callerOf(context))
        .catch((error: unknown) => {
          throw refusedLate(error, instanceId);
        });
      changes.push({
        InstanceId: instanceId,
        PreviousState: instanceState(state),
        CurrentState: instanceState(after(type, state)),
      });
    }
    return changes;
  }
}

const after = (type: Transition, state: InstanceRow['state']): InstanceRow['state'] => {
  if (type === 'StopInstance') return state === 'running' ? 'stopping' : state;
  return state === 'stopped' ? 'pending' : state;
};

const checkStoppable = ({ instanceId, state, rootDeviceName, settings }: InstanceRow): void => {
  if (state !== 'running' && state !== 'stopping' && state !== 'stopped') throw incorrectState(instanceId, 'stopped');
  if (rootDeviceName === null)
    throw new AwsError({
      code: 'UnsupportedOperation',
      message: `The instance '${instanceId}' does not have an 'ebs' root device type and cannot be stopped`,
    });
  if (settings.disableApiStop === true && state === 'running') throw stopProtected(instanceId);
};

const checkStartable = ({ instanceId, state }: InstanceRow): void => {
  if (state !== 'stopped' && state !== 'running' && state !== 'pending') throw incorrectState(instanceId, 'started');
};
