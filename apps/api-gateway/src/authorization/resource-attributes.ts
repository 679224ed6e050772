import type { ec2 } from '@holdfast/aws-protocol';
import type { RequestContext } from '@holdfast/contracts';
import type { Requests } from '@holdfast/messaging';
import { ec2Arn, type TargetCaller } from './access-target.ts';
import type { Context } from './ec2-target.ts';

/** As a filter, an id that names nothing is no error; of its wildcards none is meant. */
const byId = (name: string, id: string) => ({
  Filters: [{ Name: name, Values: [id.replaceAll(/[\\*?]/g, '\\$&')] }],
});

const volumeAttributes = (caller: TargetCaller, volume: ec2.Volume): Context => ({
  'ec2:AvailabilityZone': volume.AvailabilityZone,
  'ec2:Encrypted': volume.Encrypted,
  'ec2:KmsKeyId': volume.KmsKeyId,
  'ec2:ParentSnapshot': volume.SnapshotId ? ec2Arn(caller, 'snapshot', volume.SnapshotId) : undefined,
  'ec2:VolumeIops': volume.Iops,
  'ec2:VolumeSize': volume.Size,
  'ec2:VolumeThroughput': volume.Throughput,
  'ec2:VolumeType': volume.VolumeType,
});

/** @param caller whose Region it is in; the volume is its owner's. */
const snapshotAttributes = ({ region }: TargetCaller, snapshot: ec2.Snapshot): Context => ({
  'ec2:Owner': snapshot.OwnerId,
  'ec2:ParentVolume': ec2Arn({ accountId: snapshot.OwnerId ?? '', region }, 'volume', snapshot.VolumeId ?? ''),
  'ec2:SnapshotTime': snapshot.StartTime === undefined ? undefined : new Date(snapshot.StartTime).toISOString(),
  'ec2:VolumeSize': snapshot.VolumeSize,
});

const imageAttributes = (image: ec2.Image): Context => ({
  'ec2:Owner': image.ImageOwnerAlias ?? image.OwnerId,
  'ec2:RootDeviceType': image.RootDeviceType,
});

const instanceAttributes = (instance: ec2.Instance): Context => ({
  'ec2:AvailabilityZone': instance.Placement?.AvailabilityZone,
  'ec2:InstanceProfile': instance.IamInstanceProfile?.Arn,
  'ec2:InstanceType': instance.InstanceType,
  'ec2:RootDeviceType': instance.RootDeviceType,
  'ec2:Tenancy': instance.Placement?.Tenancy,
});

/**
 * What a policy may ask of a resource that exists, as its Describe tells it; nothing of one that the caller cannot see.
 * @see Service authorization reference, Amazon EC2, resource types
 */
export const resourceAttributes = async (
  requests: Requests,
  kind: string,
  id: string,
  context: RequestContext & TargetCaller,
): Promise<Context> => {
  if (id === '*') return {};
  switch (kind) {
    case 'volume': {
      const input = byId('volume-id', id);
      const { Volumes: [found] = [] } = await requests.request<ec2.DescribeVolumesResult>(
        ...(['volumes', 'DescribeVolumes', input, context] as const),
      );
      return found === undefined ? {} : volumeAttributes(context, found);
    }
    case 'snapshot': {
      const input = byId('snapshot-id', id);
      const { Snapshots: [found] = [] } = await requests.request<ec2.DescribeSnapshotsResult>(
        ...(['snapshots', 'DescribeSnapshots', input, context] as const),
      );
      return found === undefined ? {} : snapshotAttributes(context, found);
    }
    case 'image': {
      const input = { ...byId('image-id', id), IncludeDeprecated: true, IncludeDisabled: true };
      const { Images: [found] = [] } = await requests.request<ec2.DescribeImagesResult>(
        ...(['instances', 'DescribeImages', input, context] as const),
      );
      return found === undefined ? {} : imageAttributes(found);
    }
    case 'instance': {
      const input = byId('instance-id', id);
      const { Reservations: [found] = [] } = await requests.request<ec2.DescribeInstancesResult>(
        ...(['instances', 'DescribeInstances', input, context] as const),
      );
      const [instance] = found?.Instances ?? [];
      return instance === undefined ? {} : instanceAttributes(instance);
    }
    default:
      return {};
  }
};
