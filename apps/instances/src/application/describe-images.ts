import type { ec2 } from '@holdfast/aws-protocol';
import { AwsError, type RequestContext } from '@holdfast/contracts';
import { dryRunOperation, type RecordFilters, recordFilter, refuseParameters } from '@holdfast/ec2';
import { type Image, publicImage } from '../domain/images.ts';

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
  'root-device-type': () => ['instance-store'],
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
  RootDeviceType: 'instance-store',
  BlockDeviceMappings: [],
});

/** The Region's one public image. */
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
  const image = publicImage(region);
  checkImageIds(ImageIds ?? [], image);
  const visible =
    (ImageIds === undefined || ImageIds.length === 0 || ImageIds.includes(image.imageId)) &&
    (Owners === undefined ||
      Owners.length === 0 ||
      Owners.some((owner) => owner === image.ownerAlias || owner === image.ownerId)) &&
    (ExecutableUsers === undefined || ExecutableUsers.length === 0 || ExecutableUsers.includes('all')) &&
    recordFilter(Filters, FILTERS, () => ({}))(image);
  return { Images: visible ? [described(image)] : [] };
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

const checkImageIds = (ids: readonly string[], image: Image) => {
  for (const id of ids) {
    if (!/^ami-(?:[0-9a-f]{8}|[0-9a-f]{17})$/.test(id)) {
      throw new AwsError({ code: 'InvalidAMIID.Malformed', message: `Invalid id: "${id}" (expecting "ami-...")` });
    }
    if (id !== image.imageId) {
      throw new AwsError({ code: 'InvalidAMIID.NotFound', message: `The image id '[${id}]' does not exist` });
    }
  }
};
