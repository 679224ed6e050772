import type { ec2 } from '@holdfast/aws-protocol';
import { AwsError, type Instant, type RequestContext } from '@holdfast/contracts';
import { AMAZON_ACCOUNT_ID, cutPage, dryRunOperation, pageSize, type PageTokens, refuseParameters, tagList } from '@holdfast/ec2'; // prettier-ignore
import type { Clock } from '@holdfast/service-kit';
import type { ImageDevice } from '../domain/image.events.ts';
import { deprecationTime, type ImageRow, type ImageTable, isLaunchableBy, protectionText } from './image-ports.ts';
import { imageNotFound } from './image-refusals.ts';
import { parseImageId } from './image-requests.ts';

const MAX_PAGE = 1000;

/** One's own images, those shared with one, and public ones. */
export class DescribeImages {
  constructor(
    private readonly table: ImageTable,
    private readonly tokens: PageTokens,
    private readonly clock: Clock,
  ) {}

  /** Owners see what they deprecated, and whoever names a deprecated image sees it; a disabled one has to be asked for. */
  async run(input: ec2.DescribeImagesRequest, context: RequestContext): Promise<ec2.DescribeImagesResult> {
    const { ImageIds = [], Owners, ExecutableUsers, Filters, MaxResults, NextToken, DryRun, ...others } = input;
    const { IncludeDeprecated = false, IncludeDisabled: includeDisabled = false, ...rest } = others;
    refuseParameters({ ...rest });
    if (DryRun === true) throw dryRunOperation();
    for (const id of ImageIds) parseImageId(id);
    const limit = pageSize({ MaxResults, NextToken }, { maximum: MAX_PAGE, ids: ImageIds, idsParameter: 'imageIdSet' });
    const ownerIds = checkedAccounts(Owners, OWNER_ALIASES)?.flatMap((owner) => ownersOf(owner, context));
    const executableUsers = checkedAccounts(ExecutableUsers, ['self', 'all']);
    await this.checkExist(ImageIds, context);
    const scope = { accountId: context.accountId, region: context.region, action: 'DescribeImages' };
    const after = NextToken === undefined ? undefined : this.tokens.read(scope, NextToken);
    const now = this.clock.instant();
    const include = { includeDeprecated: IncludeDeprecated || ImageIds.length > 0, includeDisabled };
    const query = { filters: Filters, imageIds: ImageIds, ownerIds, executableUsers, now, ...include, after };
    const rows = await this.table.find({ ...query, limit: limit + 1 }, context);
    const { items, next } = cutPage(rows, limit, (row) => describedImage(row, now), ({ position }) => position); // prettier-ignore
    return { Images: items, NextToken: next === null ? undefined : this.tokens.issue(scope, next) };
  }

  /** One that was deregistered is no longer listed, and asking for it is no error, as on AWS. */
  private async checkExist(ids: readonly string[], context: RequestContext): Promise<void> {
    for (const id of ids) {
      const image = await this.table.byId(id, context);
      if (image === null || !isLaunchableBy(image, context.accountId)) throw imageNotFound(id);
    }
  }
}

/** Whose images there are none of here among them. */
const OWNER_ALIASES = ['self', 'amazon', 'aws-backup-vault', 'aws-marketplace'];

const ownersOf = (owner: string, { accountId }: RequestContext): string[] => {
  if (owner === 'self') return [accountId];
  if (owner === 'amazon') return [AMAZON_ACCOUNT_ID];
  return OWNER_ALIASES.includes(owner) ? [] : [owner];
};

const checkedAccounts = (accounts: readonly string[] | undefined, aliases: readonly string[]) => {
  if (accounts === undefined || accounts.length === 0) return undefined;
  const malformed = accounts.find((id) => !aliases.includes(id) && !/^\d{12}$/.test(id));
  if (malformed !== undefined)
    throw new AwsError({ code: 'InvalidUserID.Malformed', message: `Invalid user id: "${malformed}"` });
  return accounts;
};

/** The key is not told: whoever launches learns it from the volume. */
const describedDevice = (device: ImageDevice): ec2.BlockDeviceMapping => ({
  DeviceName: device.deviceName,
  Ebs: {
    SnapshotId: device.snapshotId,
    VolumeSize: device.sizeGiB,
    VolumeType: device.volumeType as ec2.VolumeType | undefined,
    Iops: device.iops,
    Throughput: device.throughputMiBps,
    DeleteOnTermination: device.deleteOnTermination,
    Encrypted: device.encrypted ?? false,
  },
});

const describedImage = (image: ImageRow, now: Instant): ec2.Image => {
  const alias = image.ownerId === AMAZON_ACCOUNT_ID ? 'amazon' : undefined;
  const { traits, stateMessage } = image;
  return {
    ImageId: image.imageId,
    Name: image.name,
    Description: image.description,
    OwnerId: image.ownerId,
    ImageOwnerAlias: alias,
    ImageLocation: `${alias ?? image.ownerId}/${image.name}`,
    Architecture: traits.architecture as ec2.Image['Architecture'],
    BootMode: traits.bootMode as ec2.Image['BootMode'],
    TpmSupport: traits.tpmSupport as ec2.Image['TpmSupport'],
    ImdsSupport: traits.imdsSupport as ec2.Image['ImdsSupport'],
    SriovNetSupport: traits.sriovNetSupport,
    EnaSupport: traits.enaSupport,
    CreationDate: image.creationDate,
    ImageType: 'machine',
    Public: image.isPublic,
    // Those in the Recycle Bin are not listed.
    State: image.state === 'recycled' ? 'deregistered' : image.state,
    StateReason: stateMessage === null ? undefined : { Code: stateMessage.split(':')[0], Message: stateMessage },
    PlatformDetails: 'Linux/UNIX',
    UsageOperation: 'RunInstances',
    Hypervisor: 'xen',
    VirtualizationType: traits.virtualizationType as ec2.Image['VirtualizationType'],
    RootDeviceType: 'ebs',
    RootDeviceName: image.rootDeviceName,
    BlockDeviceMappings: image.devices.map(describedDevice),
    ProductCodes: [],
    SourceInstanceId: image.sourceInstanceId ?? undefined,
    SourceImageId: image.sourceImageId ?? undefined,
    SourceImageRegion: image.sourceImageRegion ?? undefined,
    DeprecationTime: deprecationTime(image) ?? undefined,
    DeregistrationProtection: protectionText(image, now),
    Tags: tagList(image.tags),
  };
};
