import type { ec2 } from '@holdfast/aws-protocol';
import { callerOf, type RequestContext } from '@holdfast/contracts';
import { dryRunOperation, missingParameter, refuseParameters } from '@holdfast/ec2';
import type { Clock } from '@holdfast/service-kit';
import { instanceState } from './described-instance.ts';
import { checkedIdsExist, checkInstanceIds } from './instance-ids.ts';
import { refusedLate, terminationProtected } from './instance-refusals.ts';
import type { InstanceStreams, InstanceTable } from './ports.ts';

/** Begins to end instances; their volumes are detached, or deleted where DeleteOnTermination says so. All or none. */
export class TerminateInstances {
  constructor(
    private readonly streams: InstanceStreams,
    private readonly instances: InstanceTable,
    private readonly clock: Clock,
  ) {}

  async run(input: ec2.TerminateInstancesRequest, context: RequestContext): Promise<ec2.TerminateInstancesResult> {
    const { InstanceIds: ids = [], DryRun, ...rest } = input;
    refuseParameters({ ...rest });
    if (ids.length === 0) throw missingParameter('InstanceId');
    checkInstanceIds(ids);
    const { accountId, region } = context;
    const everything = { after: null, limit: ids.length, terminatedAfter: new Date(0) };
    const rows = await this.instances.find({ accountId, region, instanceIds: ids, ...everything });
    checkedIdsExist(ids, rows);
    if (DryRun === true) throw dryRunOperation();
    for (const { instanceId, disableApiTermination } of rows)
      if (disableApiTermination) throw terminationProtected(instanceId);
    for (const { instanceId } of rows) {
      const command = { type: 'TerminateInstance', instanceId, at: this.clock.instant() } as const;
      await this.streams.handle(command, callerOf(context)).catch((error: unknown) => {
        throw refusedLate(error, instanceId);
      });
    }
    return {
      TerminatingInstances: rows.map(({ instanceId, state }) => ({
        InstanceId: instanceId,
        PreviousState: instanceState(state),
        CurrentState: instanceState(state === 'terminated' ? 'terminated' : 'shutting-down'),
      })),
    };
  }
}
