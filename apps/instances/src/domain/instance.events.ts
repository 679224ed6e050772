import type { AccountId, ImageId, Instant, InstanceId, Region, VolumeId } from '@holdfast/contracts';
import type { BlockDevice, StateReason } from './block-devices.ts';
import type { ProfileAssociation } from './instance-profile.ts';
import type { InstanceSettings } from './instance-settings.ts';

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
      /** The image's; absent: `x86_64`. */
      architecture?: string;
      instanceType: string;
      availabilityZone: string;
      privateIpAddress: string;
      /** The data-plane host that serves its devices. */
      hostId: string;
      tags: Record<string, string>;
      /** Of an image that has a root volume. */
      rootDeviceName?: string;
      blockDevices?: BlockDevice[];
      volumeTags?: Record<string, string>;
      disableApiTermination?: boolean;
      settings?: InstanceSettings;
      /** What somebody would log in with; the key pair itself may be gone. */
      keyName?: string;
      instanceProfile?: ProfileAssociation;
      /** That of the request which launched it. */
      clientToken?: string;
      at: Instant;
    }
  /** It is being made for the device, and is to be attached there. */
  | { type: 'LaunchVolumeCreated'; instanceId: InstanceId; deviceName: string; volumeId: VolumeId; at: Instant }
  /** A volume could not be made or opened; `cause` is what KMS or the data plane said. The instance ends. */
  | { type: 'InstanceLaunchFailed'; instanceId: InstanceId; reason: StateReason; cause: string; at: Instant }
  | { type: 'InstanceStarted'; instanceId: InstanceId; at: Instant }
  | { type: 'InstanceStopStarted'; instanceId: InstanceId; at: Instant }
  | { type: 'InstanceStopped'; instanceId: InstanceId; at: Instant }
  | { type: 'InstanceStartRequested'; instanceId: InstanceId; at: Instant }
  /** It is stopped again. */
  | { type: 'InstanceStartFailed'; instanceId: InstanceId; reason: StateReason; cause: string; at: Instant }
  | { type: 'TerminationProtectionChanged'; instanceId: InstanceId; disableApiTermination: boolean; at: Instant }
  /** Those that are given; others stay. */
  | { type: 'InstanceSettingsChanged'; instanceId: InstanceId; settings: InstanceSettings; at: Instant }
  | { type: 'InstanceTypeChanged'; instanceId: InstanceId; instanceType: string; at: Instant }
  /** In place of the association that there was, if there was one. */
  | { type: 'InstanceProfileAssociated'; instanceId: InstanceId; instanceProfile: ProfileAssociation; at: Instant }
  | { type: 'InstanceProfileDisassociated'; instanceId: InstanceId; associationId: string; at: Instant }
  | { type: 'InstanceTerminationStarted'; instanceId: InstanceId; at: Instant }
  | { type: 'InstanceTerminated'; instanceId: InstanceId; at: Instant }
  | { type: 'InstanceTagged'; instanceId: InstanceId; tags: Record<string, string>; at: Instant }
  | { type: 'InstanceUntagged'; instanceId: InstanceId; keys: string[]; at: Instant };
