import type { ec2 } from '@holdfast/aws-protocol';
import { AwsError, type AttachmentRecord } from '@holdfast/contracts';
import type { RequestHandlers } from '@holdfast/messaging';

interface FakeVolume extends AttachmentRecord {
  state: AttachmentRecord['state'];
  attached: boolean;
  open: boolean;
  input: ec2.CreateVolumeRequest;
  throughImage: string;
}

/** Volumes as instances ask for them, in memory. */
export class FakeVolumes {
  readonly volumes = new Map<string, FakeVolume>();
  readonly calls: string[] = [];
  /** What a creation, an attachment or a start fails with. */
  creationFailure: string | null = null;
  attachFailure: string | null = null;
  resumeFailure: string | null = null;
  plan: Record<string, unknown> = {};
  /** Those that no retention rule keeps. */
  readonly waived = new Set<string>();
  /** Attached besides. */
  others: AttachmentRecord[] = [];

  private of(instanceId: string) {
    return [...this.volumes.values()].filter((volume) => volume.attached && volume.instanceId === instanceId);
  }

  readonly handlers = Object.fromEntries(
    Object.entries({
      PlanVolume: ({ input }: { input: ec2.CreateVolumeRequest }) => {
        if (input.SnapshotId === 'snap-absent') throw new AwsError({ code: 'InvalidSnapshot.NotFound', message: 'no' });
        const volumeType = input.VolumeType ?? 'gp2';
        return { sizeGiB: input.Size ?? 8, snapshotSizeGiB: input.SnapshotId ? 8 : null, volumeType, encrypted: input.Encrypted === true, ...this.plan }; // prettier-ignore
      },
      CreateLaunchVolume: ({ input, throughImage }: { input: ec2.CreateVolumeRequest; throughImage: string }) => {
        const volumeId = `vol-of-${input.ClientToken ?? ''}`;
        if (!this.volumes.has(volumeId))
          this.volumes.set(volumeId, { volumeId, attached: false, open: false, input, throughImage } as FakeVolume);
        return { volumeId };
      },
      DescribeVolumes: ({ VolumeIds = [] }: ec2.DescribeVolumesRequest) => ({
        Volumes: VolumeIds.map((VolumeId) => {
          const { Size, VolumeType, Encrypted, KmsKeyId } = this.volumes.get(VolumeId)?.input ?? {};
          return { VolumeId, Size, VolumeType: VolumeType ?? 'gp2', Encrypted: Encrypted === true, KmsKeyId };
        }),
      }),
      WaiveRetention: ({ volumeId }: { volumeId: string }) => {
        this.waived.add(volumeId);
        return {};
      },
      GetCreation: ({ volumeId }: { volumeId: string }) => {
        if (this.creationFailure !== null && volumeId.endsWith('/dev/sdf'))
          return { state: 'gone', cause: this.creationFailure };
        return { state: this.volumes.has(volumeId) ? 'ready' : 'gone', cause: null };
      },
      AttachAtLaunch: (input: AttachmentRecord) => {
        const volume = this.volumes.get(input.volumeId);
        if (volume === undefined || this.attachFailure !== null) return { failure: this.attachFailure ?? 'gone' };
        Object.assign(volume, input, {
          attached: true,
          open: true,
          state: 'attached',
          attachTime: '2026-01-01T00:00:00.000Z',
        });
        return { failure: null };
      },
      ListAttachments: ({ instanceIds }: { instanceIds?: string[] }) => ({
        attachments: [
          ...[...this.volumes.values()].filter(
            ({ attached, instanceId }) => attached && (instanceIds?.includes(instanceId) ?? true),
          ),
          ...this.others,
        ],
      }),
      SuspendAttachments: ({ instanceId }: { instanceId: string }) => {
        for (const volume of this.of(instanceId)) volume.open = false;
        return {};
      },
      ResumeAttachments: ({ instanceId }: { instanceId: string }) => {
        for (const volume of this.of(instanceId)) volume.open = true;
        return { failure: this.resumeFailure };
      },
      SetDeleteOnTermination: (input: {
        devices: { device: string; deleteOnTermination: boolean }[];
        instanceId: string;
      }) => {
        for (const volume of this.of(input.instanceId))
          for (const { device, deleteOnTermination } of input.devices)
            if (volume.device === device) volume.deleteOnTermination = deleteOnTermination;
        return {};
      },
      DeleteVolume: ({ VolumeId }: { VolumeId: string }) => {
        this.volumes.delete(VolumeId);
        return {};
      },
    } as Record<string, (input: never) => object>).map(([action, handler]) => [
      action,
      (input: never) => {
        this.calls.push(action);
        return Promise.resolve(handler(input));
      },
    ]),
  ) as unknown as RequestHandlers;
}
