import { defineService } from '@holdfast/service-kit';
import { accountActions } from './adapters/inbound/account-actions.ts';
import { credentialActions } from './adapters/inbound/credential-actions.ts';
import { ec2Actions } from './adapters/inbound/ec2-actions.ts';
import { imageActions } from './adapters/inbound/image-actions.ts';
import { imageWork } from './adapters/inbound/image-events.consumer.ts';
import { instanceLifecycle } from './adapters/inbound/instance-events.consumer.ts';
import { CompleteTransitions } from './application/complete-transitions.ts';
import { CopyImage } from './application/copy-image.ts';
import { CreateImage } from './application/create-image.ts';
import { DeregisterImage } from './application/deregister-image.ts';
import { DescribeAccount } from './application/describe-account.ts';
import { DescribeImages } from './application/describe-images.ts';
import { DescribeInstanceStatus } from './application/describe-instance-status.ts';
import { DescribeInstanceTypes } from './application/describe-instance-types.ts';
import { DescribeInstances } from './application/describe-instances.ts';
import { DescribeNetwork } from './application/describe-network.ts';
import { DescribeNetworkInterfaces } from './application/describe-network-interfaces.ts';
import { DescribeRouting } from './application/describe-routing.ts';
import { GetInstance } from './application/get-instance.ts';
import { ImageAttributes } from './application/image-attributes.ts';
import { ImageLifecycle } from './application/image-lifecycle.ts';
import { ImageRecycleBin } from './application/image-recycle-bin.ts';
import { ImagesOfSnapshot } from './application/images-of-snapshot.ts';
import { InstanceAttributes } from './application/instance-attributes.ts';
import { InstanceExtras } from './application/instance-extras.ts';
import { InstanceTags } from './application/instance-tags.ts';
import { LaunchReserved } from './application/launch-reserved.ts';
import { KeyPairs } from './application/key-pairs.ts';
import { MakeImage } from './application/make-image.ts';
import { MonitorInstances } from './application/monitor-instances.ts';
import { ProfileAssociations } from './application/profile-associations.ts';
import type { ProvideAmazonImages } from './application/provide-amazon-images.ts';
import { RegisterImage } from './application/register-image.ts';
import { ModifyInstance } from './application/modify-instance.ts';
import { RunInstances } from './application/run-instances.ts';
import { StopAndStart } from './application/stop-and-start.ts';
import { TerminateInstances } from './application/terminate-instances.ts';
import { AMAZON_IMAGES, InstancesModule } from './instances.module.ts';
import { imageMigrations } from './image-migrations.ts';
import { migrations } from './migrations.ts';

export const start = defineService({
  name: 'instances',
  migrations: [...migrations, ...imageMigrations],
  module: (parts) => InstancesModule.register(parts),
  requests: (app) => ({
    ...ec2Actions({
      runInstances: app.get(RunInstances),
      describeInstances: app.get(DescribeInstances),
      terminateInstances: app.get(TerminateInstances),
      stopAndStart: app.get(StopAndStart),
      attributes: app.get(InstanceAttributes),
      modifyInstance: app.get(ModifyInstance),
      describeInstanceTypes: app.get(DescribeInstanceTypes),
      describeInstanceStatus: app.get(DescribeInstanceStatus),
      extras: app.get(InstanceExtras),
      tags: app.get(InstanceTags),
      getInstance: app.get(GetInstance),
    }),
    ...imageActions({
      registerImage: app.get(RegisterImage),
      createImage: app.get(CreateImage),
      copyImage: app.get(CopyImage),
      deregisterImage: app.get(DeregisterImage),
      describeImages: app.get(DescribeImages),
      attributes: app.get(ImageAttributes),
      ofSnapshot: app.get(ImagesOfSnapshot),
      lifecycle: app.get(ImageLifecycle),
      bin: app.get(ImageRecycleBin),
    }),
    ...credentialActions({
      keyPairs: app.get(KeyPairs),
      profiles: app.get(ProfileAssociations),
      monitoring: app.get(MonitorInstances),
    }),
    ...accountActions({
      account: app.get(DescribeAccount),
      network: app.get(DescribeNetwork),
      routing: app.get(DescribeRouting),
      networkInterfaces: app.get(DescribeNetworkInterfaces),
    }),
  }),
  consumers: (app) => [
    instanceLifecycle(app.get(LaunchReserved), app.get(CompleteTransitions)),
    imageWork(app.get(MakeImage)),
  ],
  reset: (app) => app.get<ProvideAmazonImages>(AMAZON_IMAGES).run(),
});
