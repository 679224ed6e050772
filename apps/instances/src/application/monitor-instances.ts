import type { ec2 } from '@holdfast/aws-protocol';
import { callerOf, type RequestContext } from '@holdfast/contracts';
import { dryRunOperation, missingParameter, refuseParameters } from '@holdfast/ec2';
import type { Clock } from '@holdfast/service-kit';
import { checkedIdsExist, checkInstanceIds } from './instance-ids.ts';
import { incorrectState } from './instance-refusals.ts';
import type { InstanceStreams, InstanceTable } from './ports.ts';

/** MonitorInstances and UnmonitorInstances: kept and told; there is nobody here who collects metrics. */
export class MonitorInstances {
  constructor(
    private readonly streams: InstanceStreams,
    private readonly instances: InstanceTable,
    private readonly clock: Clock,
  ) {}

  /** All of them, or none. In force when it is answered, with the state that EC2 begins with. */
  async run(
    input: Partial<ec2.MonitorInstancesRequest>,
    monitoring: boolean,
    context: RequestContext,
  ): Promise<ec2.MonitorInstancesResult> {
    const { InstanceIds: ids = [], DryRun, ...rest } = input;
    refuseParameters({ ...rest });
    if (ids.length === 0) throw missingParameter('InstanceId');
    checkInstanceIds(ids);
    const { accountId, region } = context;
    const everything = { after: null, limit: ids.length, terminatedAfter: new Date(0) };
    const rows = await this.instances.find({ accountId, region, instanceIds: ids, ...everything });
    checkedIdsExist(ids, rows);
    const ended = rows.find(({ state }) => state === 'shutting-down' || state === 'terminated');
    if (ended !== undefined) throw incorrectState(ended.instanceId, 'modified');
    if (DryRun === true) throw dryRunOperation();
    for (const { instanceId } of rows) {
      const command = {
        type: 'ChangeSettings',
        instanceId,
        settings: { monitoring },
        at: this.clock.instant(),
      } as const;
      await this.streams.handle(command, callerOf(context));
    }
    const State = monitoring ? 'pending' : 'disabling';
    return { InstanceMonitorings: rows.map(({ instanceId }) => ({ InstanceId: instanceId, Monitoring: { State } })) };
  }
}
