import type { AccountId, ImageId, Instant, InstanceId, Region } from '@holdfast/contracts';

/** The facts of one instance's life; stream `instance-<instanceId>`. Nothing boots: an instance is where volumes attach. */
export type InstanceEvent =
  | {
      type: 'InstanceLaunched';
      instanceId: InstanceId;
      reservationId: string;
      /** 0-based position in its reservation. */
      launchIndex: number;
      accountId: AccountId;
      region: Region;
      imageId: ImageId;
      instanceType: string;
      availabilityZone: string;
      privateIpAddress: string;
      /** The data-plane host that serves its devices. */
      hostId: string;
      tags: Record<string, string>;
      at: Instant;
    }
  | { type: 'InstanceStarted'; instanceId: InstanceId; at: Instant }
  | { type: 'InstanceTerminationStarted'; instanceId: InstanceId; at: Instant }
  | { type: 'InstanceTerminated'; instanceId: InstanceId; at: Instant }
  | { type: 'InstanceTagged'; instanceId: InstanceId; tags: Record<string, string>; at: Instant }
  | { type: 'InstanceUntagged'; instanceId: InstanceId; keys: string[]; at: Instant };
