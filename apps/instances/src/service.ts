import { defineService } from '@holdfast/service-kit';
import { ec2Actions } from './adapters/inbound/ec2-actions.ts';
import { instanceLifecycle } from './adapters/inbound/instance-events.consumer.ts';
import { CompleteTransitions } from './application/complete-transitions.ts';
import { DescribeInstanceStatus } from './application/describe-instance-status.ts';
import { DescribeInstanceTypes } from './application/describe-instance-types.ts';
import { DescribeInstances } from './application/describe-instances.ts';
import { GetInstance } from './application/get-instance.ts';
import { InstanceAttributes } from './application/instance-attributes.ts';
import { InstanceTags } from './application/instance-tags.ts';
import { LaunchReserved } from './application/launch-reserved.ts';
import { RunInstances } from './application/run-instances.ts';
import { StopAndStart } from './application/stop-and-start.ts';
import { TerminateInstances } from './application/terminate-instances.ts';
import { InstancesModule } from './instances.module.ts';
import { migrations } from './migrations.ts';

export const start = defineService({
  name: 'instances',
  migrations,
  module: (parts) => InstancesModule.register(parts),
  requests: (app) =>
    ec2Actions({
      runInstances: app.get(RunInstances),
      describeInstances: app.get(DescribeInstances),
      terminateInstances: app.get(TerminateInstances),
      stopAndStart: app.get(StopAndStart),
      attributes: app.get(InstanceAttributes),
      describeInstanceTypes: app.get(DescribeInstanceTypes),
      describeInstanceStatus: app.get(DescribeInstanceStatus),
      tags: app.get(InstanceTags),
      getInstance: app.get(GetInstance),
    }),
  consumers: (app) => [instanceLifecycle(app.get(LaunchReserved), app.get(CompleteTransitions))],
});
