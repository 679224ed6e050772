import type { ec2 } from '@holdfast/aws-protocol';
import { callerOf, type ImageId, type Instant, type RequestContext } from '@holdfast/contracts';
import {
  dryRunOperation,
  invalidParameterCombination,
  invalidParameterValue,
  missingParameter,
  refuseParameters,
} from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import { type ImageCommand, keyArnsOf } from '../domain/image.decider.ts';
import { type ImageRow, protectionText } from './image-ports.ts';
import { imageRefusal } from './image-refusals.ts';
import { checkedDescription, type ImageRequests, notAuthorized } from './image-requests.ts';
import { launchPermissionRequests, type LaunchPermissionRequest } from './launch-permission-change.ts';

type Nothing = Record<string, never>;
type Described = (image: ImageRow, now: Instant) => ec2.ImageAttribute;

const value = (Value: string | undefined) => (Value === undefined ? {} : { Value });

const ATTRIBUTES: Readonly<Record<string, Described>> = {
  bootMode: ({ traits }) => ({ BootMode: value(traits.bootMode) }),
  deregistrationProtection: (image, now) => ({ DeregistrationProtection: { Value: protectionText(image, now) } }),
  description: ({ description }) => ({ Description: { Value: description } }),
  imdsSupport: ({ traits }) => ({ ImdsSupport: value(traits.imdsSupport) }),
  kernel: () => ({ KernelId: {} }),
  launchPermission: ({ isPublic, sharedWith }) => ({
    LaunchPermissions: [...(isPublic ? [{ Group: 'all' as const }] : []), ...sharedWith.map((UserId) => ({ UserId }))],
  }),
  productCodes: () => ({ ProductCodes: [] }),
  ramdisk: () => ({ RamdiskId: {} }),
  sriovNetSupport: ({ traits }) => ({ SriovNetSupport: value(traits.sriovNetSupport) }),
  tpmSupport: ({ traits }) => ({ TpmSupport: value(traits.tpmSupport) }),
  uefiData: () => ({ UefiData: {} }),
};

/** Describe-, Modify- and ResetImageAttribute: for the owner only. */
export class ImageAttributes {
  constructor(
    private readonly images: ImageRequests,
    private readonly requests: Requests,
    private readonly clock: Clock,
  ) {}

  async describe(
    { ImageId, Attribute, DryRun }: Partial<ec2.DescribeImageAttributeRequest>,
    context: RequestContext,
  ): Promise<ec2.ImageAttribute> {
    if (Attribute === undefined || Attribute === '') throw missingParameter('attribute');
    // Documented: DescribeImages tells the mappings.
    if (Attribute === 'blockDeviceMapping') throw notAuthorized('Unauthorized attempt to access restricted resource');
    const describe = Object.hasOwn(ATTRIBUTES, Attribute) ? ATTRIBUTES[Attribute] : undefined;
    if (describe === undefined) {
      refuseParameters({ lastLaunchedTime: Attribute === 'lastLaunchedTime' ? Attribute : undefined });
      throw invalidParameterValue(`Value (${Attribute}) for parameter attribute is invalid. Unknown attribute.`);
    }
    const image = await this.images.own(ImageId, context);
    if (DryRun === true) throw dryRunOperation();
    return { ImageId: image.imageId, ...describe(image, this.clock.instant()) };
  }

  async modify(input: Partial<ec2.ModifyImageAttributeRequest>, context: RequestContext): Promise<Nothing> {
    const change = parsedChange(input);
    const { imageId } = await this.images.own(input.ImageId, context);
    if (input.DryRun === true) throw dryRunOperation();
    if (typeof change === 'string') {
      const at = this.clock.instant();
      await this.handle({ type: 'ChangeDescription', imageId, description: change, at }, context);
    } else for (const request of change) await this.permit(imageId, request, context);
    return {};
  }

  async reset(input: Partial<ec2.ResetImageAttributeRequest>, context: RequestContext): Promise<Nothing> {
    const { ImageId, Attribute, DryRun } = input;
    if (Attribute !== 'launchPermission')
      throw invalidParameterValue(
        `Value (${Attribute ?? 'null'}) for parameter attribute is invalid. Expected: 'launchPermission'.`,
      );
    const { imageId } = await this.images.own(ImageId, context);
    if (DryRun === true) throw dryRunOperation();
    await this.handle({ type: 'ResetLaunchPermission', imageId, at: this.clock.instant() }, context);
    return {};
  }

  private async permit(
    imageId: ImageId,
    { operation, accounts, public: isPublic }: LaunchPermissionRequest,
    context: RequestContext,
  ): Promise<void> {
    // The owner may do so anyway.
    const others = accounts.filter((account) => account !== context.accountId);
    const who = { imageId, accounts: others, public: isPublic };
    if (operation === 'remove') {
      await this.handle({ type: 'UnshareImage', ...who, at: this.clock.instant() }, context);
      return;
    }
    if (others.length === 0 && !isPublic) return;
    const keyManagedByAws = await this.isManagedByAws(imageId, context);
    const publicSharingBlocked = isPublic && (await this.isPublicSharingBlocked(context));
    const at = this.clock.instant();
    await this.handle({ type: 'ShareImage', ...who, keyManagedByAws, publicSharingBlocked, at }, context);
  }

  private async isPublicSharingBlocked(context: RequestContext): Promise<boolean> {
    const action = 'GetImageBlockPublicAccessState';
    type State = ec2.GetImageBlockPublicAccessStateResult;
    const state = await this.requests.request<State>('account-settings', action, {}, context);
    return state.ImageBlockPublicAccessState !== 'unblocked';
  }

  private async isManagedByAws(imageId: ImageId, context: RequestContext): Promise<boolean> {
    for (const keyArn of keyArnsOf(await this.images.streams.load(imageId))) {
      const key = await this.requests.call('kms', 'GetKeyManager', { keyArn }, context);
      if (key?.keyManager === 'AWS') return true;
    }
    return false;
  }

  private async handle(command: ImageCommand, context: RequestContext): Promise<void> {
    await this.images.streams.handle(command, callerOf(context)).catch((error) => {
      throw imageRefusal(error);
    });
  }
}

/** A new description, or changes of the launch permission; one of them at a time. */
const parsedChange = (input: Partial<ec2.ModifyImageAttributeRequest>): string | readonly LaunchPermissionRequest[] => {
  const { Attribute, Description, LaunchPermission, ProductCodes, ImdsSupport, Value } = input;
  refuseParameters({ ProductCodes: ProductCodes?.length === 0 ? undefined : ProductCodes, ImdsSupport });
  if (Attribute !== undefined && Attribute !== 'description' && Attribute !== 'launchPermission')
    refuseParameters({ Attribute });
  const description = Description?.Value ?? (Attribute === 'description' ? Value : undefined);
  const ofPermission = LaunchPermission !== undefined || Attribute === 'launchPermission' || input.OperationType !== undefined; // prettier-ignore
  if (description !== undefined && ofPermission)
    throw invalidParameterCombination('Fields for multiple attribute types specified');
  if (description !== undefined) return checkedDescription(description);
  if (!ofPermission) throw invalidParameterCombination('No attributes specified.');
  return launchPermissionRequests(input);
};
