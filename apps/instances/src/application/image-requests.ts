import type { ec2 } from '@holdfast/aws-protocol';
import { AwsError, callerOf, type ImageId, imageId as toImageId, type RequestContext } from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';
import { invalidParameterValue, missingParameter, type Tags, tagsOfSpecifications } from '@holdfast/ec2';
import type { ClientToken } from '@holdfast/event-store';
import type { StartImage } from '../domain/image.decider.ts';
import type { ImageTraits } from '../domain/image.events.ts';
import { type ImageRow, type ImageStreams, type ImageTable, isGone, isLaunchableBy } from './image-ports.ts';
import { imageGone, imageNameInUse, imageNotFound, imageRefusal } from './image-refusals.ts';

const MAX_DESCRIPTION = 255;

/** @throws AwsError InvalidAMIID.Malformed */
export const parseImageId = (text: string): ImageId => {
  try {
    return toImageId(text);
  } catch {
    throw new AwsError({ code: 'InvalidAMIID.Malformed', message: `Invalid id: "${text}" (expecting "ami-...")` });
  }
};

/** @throws AwsError MissingParameter | InvalidAMIName.Malformed */
export const checkedName = (name: string | undefined): string => {
  if (name === undefined || name === '') throw missingParameter('Name');
  if (/^[A-Za-z0-9 ()[\]./'@_-]{3,128}$/.test(name)) return name;
  throw new AwsError({
    code: 'InvalidAMIName.Malformed',
    message:
      "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', ')', '.', '-', '/' and '_'",
  });
};

/** @throws AwsError InvalidParameterValue */
export const checkedDescription = (description = ''): string => {
  if (/[^\x20-\x7e]/.test(description))
    throw invalidParameterValue(
      `Value (${description}) for parameter description is invalid. Character sets beyond ASCII are not supported.`,
    );
  if (description.length > MAX_DESCRIPTION)
    throw invalidParameterValue(
      `The description is invalid. It must be at most ${String(MAX_DESCRIPTION)} characters long.`,
    );
  return description;
};

/** The tags of the new image, and of the snapshots that are made for it. */
export const tagsOfImage = (
  specifications: readonly ec2.TagSpecification[] = [],
): { tags: Tags; snapshotTags: Tags } => {
  const ofSnapshots = specifications.filter(({ ResourceType }) => ResourceType === 'snapshot');
  const others = specifications.filter(({ ResourceType }) => ResourceType !== 'snapshot');
  return {
    tags: { ...tagsOfSpecifications(others, 'image') },
    snapshotTags: { ...tagsOfSpecifications(ofSnapshots, 'snapshot') },
  };
};

const oneOf = (name: string, value: string | undefined, allowed: readonly string[]): string | undefined => {
  if (value === undefined || allowed.includes(value)) return value;
  throw invalidParameterValue(`Value (${value}) for parameter ${name} is invalid.`);
};

/** @throws AwsError InvalidParameterValue */
export const traitsOf = (input: Partial<ec2.RegisterImageRequest>): ImageTraits => ({
  architecture: oneOf('architecture', input.Architecture, ['i386', 'x86_64', 'arm64', 'x86_64_mac', 'arm64_mac']) ?? 'i386',
  virtualizationType: oneOf('virtualizationType', input.VirtualizationType, ['hvm', 'paravirtual']) ?? 'paravirtual',
  bootMode: oneOf('bootMode', input.BootMode, ['legacy-bios', 'uefi', 'uefi-preferred']),
  tpmSupport: oneOf('tpmSupport', input.TpmSupport, ['v2.0']),
  imdsSupport: oneOf('imdsSupport', input.ImdsSupport, ['v2.0']),
  sriovNetSupport: oneOf('sriovNetSupport', input.SriovNetSupport, ['simple']),
  enaSupport: input.EnaSupport,
}); // prettier-ignore

/** Unlike of a wrong signature, EC2 answers it with 400, as its clients' logs show. */
export const notAuthorized = (message: string) => new AwsError({ code: 'AuthFailure', message, status: 400 });

/** What actions on images begin with: which image is meant, and whether its caller may. */
export class ImageRequests {
  constructor(
    readonly streams: ImageStreams,
    readonly table: ImageTable,
  ) {}

  /** The caller's own. @throws AwsError InvalidAMIID.… | AuthFailure */
  async own(id: string | undefined, context: RequestContext): Promise<ImageRow> {
    if (id === undefined || id === '') throw missingParameter('ImageId');
    const image = await this.table.byId(parseImageId(id), context);
    if (image === null || !isLaunchableBy(image, context.accountId)) throw imageNotFound(id);
    if (isGone(image)) throw imageGone(id);
    if (image.ownerId === context.accountId) return image;
    throw notAuthorized(`Not authorized for image:${id}`);
  }

  /** One to launch from. @throws AwsError InvalidAMIID.… | AuthFailure */
  async launchable(id: string | undefined, context: RequestContext): Promise<ImageRow> {
    if (id === undefined || id === '') throw missingParameter('ImageId');
    const image = await this.table.byId(parseImageId(id), context);
    if (image === null) throw imageNotFound(id);
    if (!isLaunchableBy(image, context.accountId)) throw notAuthorized(`Not authorized for images: [${id}]`);
    if (isGone(image)) throw imageGone(id);
    return image;
  }

  /** @throws AwsError InvalidAMIName.Duplicate */
  async checkNameIsFree(name: string, context: RequestContext): Promise<void> {
    const holder = await this.table.named(name, context);
    if (holder !== null) throw imageNameInUse(name, holder);
  }

  /** @throws AwsError InvalidAMIName.Duplicate, ClientTokenUsed */
  async start(command: StartImage, context: RequestContext, clientToken?: ClientToken): Promise<void> {
    try {
      await this.streams.handle(command, callerOf(context), clientToken);
    } catch (error) {
      if (error instanceof DomainError && error.code === 'ImageNameTaken')
        throw imageNameInUse(command.name, (await this.table.named(command.name, context)) ?? '');
      throw imageRefusal(error);
    }
  }
}
