import type { ec2 } from '@holdfast/aws-protocol';
import type { InternalRequests, RequestContext } from '@holdfast/contracts';
import type { RequestHandlers } from '@holdfast/messaging';
import type { DescribeInstances } from '../../application/describe-instances.ts';
import { describeImages } from '../../application/describe-images.ts';
import { describeAvailabilityZones, describeRegions } from '../../application/describe-regions.ts';
import type { GetInstance } from '../../application/get-instance.ts';
import type { InstanceTags } from '../../application/instance-tags.ts';
import type { RunInstances } from '../../application/run-instances.ts';
import type { StopAndStart } from '../../application/stop-and-start.ts';
import type { TerminateInstances } from '../../application/terminate-instances.ts';

export interface InstanceActions {
  runInstances: RunInstances;
  describeInstances: DescribeInstances;
  terminateInstances: TerminateInstances;
  stopAndStart: StopAndStart;
  tags: InstanceTags;
  getInstance: GetInstance;
}

export const ec2Actions = ({
  runInstances,
  describeInstances,
  terminateInstances,
  stopAndStart,
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
    DescribeImages: async (input: ec2.DescribeImagesRequest, context: RequestContext) =>
      Promise.resolve(input).then((request) => describeImages(request, context)),
    DescribeRegions: async (input: ec2.DescribeRegionsRequest) => Promise.resolve(input).then(describeRegions),
    DescribeAvailabilityZones: async (input: ec2.DescribeAvailabilityZonesRequest, context: RequestContext) =>
      Promise.resolve(input).then((request) => describeAvailabilityZones(request, context)),
    CreateTags: (input: ec2.CreateTagsRequest, context: RequestContext) => tags.create(input, context),
    DeleteTags: (input: ec2.DeleteTagsRequest, context: RequestContext) => tags.delete(input, context),
    DescribeTags: (input: ec2.DescribeTagsRequest, context: RequestContext) => tags.describe(input, context),
    GetInstance: (input: InternalRequests['instances']['GetInstance']['in'], context: RequestContext) =>
      getInstance.run(input, context),
  }) satisfies RequestHandlers;
