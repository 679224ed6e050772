import type { ec2 } from '@holdfast/aws-protocol';
import type { InternalRequests, RequestContext } from '@holdfast/contracts';
import type { RequestHandlers } from '@holdfast/messaging';
import type { DescribeInstanceStatus } from '../../application/describe-instance-status.ts';
import type { DescribeInstanceTypes } from '../../application/describe-instance-types.ts';
import type { DescribeInstances } from '../../application/describe-instances.ts';
import type { GetInstance } from '../../application/get-instance.ts';
import type { InstanceAttributes } from '../../application/instance-attributes.ts';
import type { InstanceExtras } from '../../application/instance-extras.ts';
import type { InstanceTags } from '../../application/instance-tags.ts';
import type { ModifyInstance } from '../../application/modify-instance.ts';
import type { RunInstances } from '../../application/run-instances.ts';
import type { StopAndStart } from '../../application/stop-and-start.ts';
import type { TerminateInstances } from '../../application/terminate-instances.ts';

export interface InstanceActions {
  runInstances: RunInstances;
  describeInstances: DescribeInstances;
  terminateInstances: TerminateInstances;
  stopAndStart: StopAndStart;
  attributes: InstanceAttributes;
  modifyInstance: ModifyInstance;
  describeInstanceTypes: DescribeInstanceTypes;
  describeInstanceStatus: DescribeInstanceStatus;
  extras: InstanceExtras;
  tags: InstanceTags;
  getInstance: GetInstance;
}

export const ec2Actions = ({
  runInstances,
  describeInstances,
  terminateInstances,
  stopAndStart,
  attributes,
  modifyInstance,
  describeInstanceTypes,
  describeInstanceStatus,
  extras,
  tags,
  getInstance,
}: InstanceActions) =>
  ({
    RunInstances: (input: ec2.RunInstancesRequest, context: RequestContext) => runInstances.run(input, context),
    DescribeInstances: (input: ec2.DescribeInstancesRequest, context: RequestContext) =>
      describeInstances.run(input, context),
    TerminateInstances: (input: ec2.TerminateInstancesRequest, context: RequestContext) =>
      terminateInstances.run(input, context),
    StopInstances: (input: ec2.StopInstancesRequest, context: RequestContext) => stopAndStart.stop(input, context),
    StartInstances: (input: ec2.StartInstancesRequest, context: RequestContext) => stopAndStart.start(input, context),
    DescribeInstanceAttribute: (input: ec2.DescribeInstanceAttributeRequest, context: RequestContext) =>
      attributes.describe(input, context),
    ModifyInstanceAttribute: (input: ec2.ModifyInstanceAttributeRequest, context: RequestContext) =>
      modifyInstance.attribute(input, context),
    ModifyInstanceMetadataOptions: (input: ec2.ModifyInstanceMetadataOptionsRequest, context: RequestContext) =>
      modifyInstance.metadataOptions(input, context),
    ModifyInstanceCreditSpecification: (input: ec2.ModifyInstanceCreditSpecificationRequest, context: RequestContext) =>
      modifyInstance.creditSpecification(input, context),
    DescribeInstanceTypes: async (input: ec2.DescribeInstanceTypesRequest, context: RequestContext) =>
      Promise.resolve(input).then((request) => describeInstanceTypes.run(request, context)),
    DescribeInstanceStatus: (input: ec2.DescribeInstanceStatusRequest, context: RequestContext) =>
      describeInstanceStatus.run(input, context),
    RebootInstances: (input: ec2.RebootInstancesRequest, context: RequestContext) => extras.reboot(input, context),
    GetConsoleOutput: (input: ec2.GetConsoleOutputRequest, context: RequestContext) =>
      extras.consoleOutput(input, context),
    DescribeInstanceCreditSpecifications: (
      input: ec2.DescribeInstanceCreditSpecificationsRequest,
      context: RequestContext,
    ) => extras.creditSpecifications(input, context),
    CreateTags: (input: ec2.CreateTagsRequest, context: RequestContext) => tags.create(input, context),
    DeleteTags: (input: ec2.DeleteTagsRequest, context: RequestContext) => tags.delete(input, context),
    DescribeTags: (input: ec2.DescribeTagsRequest, context: RequestContext) => tags.describe(input, context),
    GetInstance: (input: InternalRequests['instances']['GetInstance']['in'], context: RequestContext) =>
      getInstance.run(input, context),
  }) satisfies RequestHandlers;
