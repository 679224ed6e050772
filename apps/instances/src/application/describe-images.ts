import type { ec2 } from '@holdfast/aws-protocol';
import { AwsError, type RequestContext } from '@holdfast/contracts';
import { dryRunOperation, type RecordFilters, recordFilter, refuseParameters } from '@holdfast/ec2';
import { type Image, publicImages } from '../domain/images.ts';

const FILTERS: RecordFilters<Image> = {
  architecture: (image) => [image.architecture],
  'creation-date': (image) => [image.creationDate],
  description: (image) => [image.description],
  'image-id': (image) => [image.imageId],
  'image-type': () => ['machine'],
  'is-public': () => ['true'],
  name: (image) => [image.name],
  'owner-alias': (image) => [image.ownerAlias],
  'owner-id': (image) => [image.ownerId],
  'block-device-mapping.delete-on-termination': (image) =>
    image.blockDevices.map(({ deleteOnTermination }) => String(deleteOnTermination)),
  'block-device-mapping.device-name': (image) => image.blockDevices.map(({ deviceName }) => deviceName),
  'block-device-mapping.encrypted': (image) => image.blockDevices.map(() => 'false'),
  'block-device-mapping.snapshot-id': (image) => image.blockDevices.map(({ snapshotId }) => snapshotId),
  'block-device-mapping.volume-size': (image) => image.blockDevices.map(({ sizeGiB }) => String(sizeGiB)),
  'block-device-mapping.volume-type': (image) => image.blockDevices.map(({ volumeType }) => volumeType),
  'root-device-name': (image) => [image.rootDeviceName ?? undefined],
  'root-device-type': (image) => [image.rootDeviceName === null ? 'instance-store' : 'ebs'],
  state: () => ['available'],
  'virtualization-type': () => ['hvm'],
};

const described = (image: Image): ec2.Image => ({
  ImageId: image.imageId,
  Name: image.name,
  Description: image.description,
  OwnerId: image.ownerId,
  ImageOwnerAlias: image.ownerAlias,
  ImageLocation: `${image.ownerAlias}/${image.name}`,
  Architecture: image.architecture,
  CreationDate: image.creationDate,
  ImageType: 'machine',
  Public: true,
  State: 'available',
  Hypervisor: 'xen',
  VirtualizationType: 'hvm',
  RootDeviceType: image.rootDeviceName === null ? 'instance-store' : 'ebs',
  RootDeviceName: image.rootDeviceName ?? undefined,
  BlockDeviceMappings: image.blockDevices.map((device) => ({
    DeviceName: device.deviceName,
    Ebs: {
      SnapshotId: device.snapshotId,
      VolumeSize: device.sizeGiB,
      VolumeType: device.volumeType as ec2.VolumeType | undefined,
      DeleteOnTermination: device.deleteOnTermination,
      Encrypted: false,
    },
  })),
});

/** The Region's public images. */
export const describeImages = (
  input: ec2.DescribeImagesRequest,
  { region }: RequestContext,
): ec2.DescribeImagesResult => {
  const { ImageIds, Owners, ExecutableUsers, Filters, DryRun } = input;
  const {
    MaxResults: _max,
    NextToken,
    IncludeDeprecated: _deprecated,
    IncludeDisabled: _disabled,
    ...rest
  } = listed(input);
  if (DryRun === true) throw dryRunOperation();
  refuseParameters({ ...rest, NextToken });
  const images = publicImages(region);
  checkImageIds(ImageIds ?? [], images);
  const none = (values: readonly string[] | undefined) => values === undefined || values.length === 0;
  const matches = recordFilter(Filters, FILTERS, () => ({}));
  const wanted = images.filter(
    (image) =>
      (none(ImageIds) || ImageIds?.includes(image.imageId) === true) &&
      (none(Owners) || Owners?.some((owner) => owner === image.ownerAlias || owner === image.ownerId) === true) &&
      (none(ExecutableUsers) || ExecutableUsers?.includes('all') === true) &&
      matches(image),
  );
  return { Images: wanted.map(described) };
};

/** What is left once the parameters that choose images are taken: one page always holds everything there is. */
const listed = ({
  ImageIds: _i,
  Owners: _o,
  ExecutableUsers: _e,
  Filters: _f,
  DryRun: _d,
  ...rest
}: ec2.DescribeImagesRequest) => rest;

const checkImageIds = (ids: readonly string[], images: readonly Image[]) => {
  for (const id of ids) {
    if (!/^ami-(?:[0-9a-f]{8}|[0-9a-f]{17})$/.test(id)) {
      throw new AwsError({ code: 'InvalidAMIID.Malformed', message: `Invalid id: "${id}" (expecting "ami-...")` });
    }
    if (!images.some(({ imageId }) => imageId === id)) {
      throw new AwsError({ code: 'InvalidAMIID.NotFound', message: `The image id '[${id}]' does not exist` });
    }
  }
};
