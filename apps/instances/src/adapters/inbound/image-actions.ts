import type { ec2 } from '@holdfast/aws-protocol';
import type { InternalRequests, RequestContext } from '@holdfast/contracts';
import type { RequestHandlers } from '@holdfast/messaging';
import type { CopyImage } from '../../application/copy-image.ts';
import type { CreateImage } from '../../application/create-image.ts';
import type { DeregisterImage } from '../../application/deregister-image.ts';
import type { DescribeImages } from '../../application/describe-images.ts';
import type { ImageAttributes } from '../../application/image-attributes.ts';
import type { ImagesOfSnapshot } from '../../application/images-of-snapshot.ts';
import type { ImageLifecycle } from '../../application/image-lifecycle.ts';
import type { ImageRecycleBin } from '../../application/image-recycle-bin.ts';
import type { RegisterImage } from '../../application/register-image.ts';

export interface ImageActions {
  registerImage: RegisterImage;
  createImage: CreateImage;
  copyImage: CopyImage;
  deregisterImage: DeregisterImage;
  describeImages: DescribeImages;
  attributes: ImageAttributes;
  ofSnapshot: ImagesOfSnapshot;
  lifecycle: ImageLifecycle;
  bin: ImageRecycleBin;
}

type Internal = InternalRequests['instances'];

const lifecycleActions = (lifecycle: ImageLifecycle) => ({
  EnableImageDeprecation: (input: ec2.EnableImageDeprecationRequest, context: RequestContext) =>
    lifecycle.enableDeprecation(input, context),
  DisableImageDeprecation: (input: ec2.DisableImageDeprecationRequest, context: RequestContext) =>
    lifecycle.disableDeprecation(input, context),
  EnableImage: (input: ec2.EnableImageRequest, context: RequestContext) => lifecycle.enable(input, context),
  DisableImage: (input: ec2.DisableImageRequest, context: RequestContext) => lifecycle.disable(input, context),
  EnableImageDeregistrationProtection: (
    input: ec2.EnableImageDeregistrationProtectionRequest,
    context: RequestContext,
  ) => lifecycle.enableProtection(input, context),
  DisableImageDeregistrationProtection: (
    input: ec2.DisableImageDeregistrationProtectionRequest,
    context: RequestContext,
  ) => lifecycle.disableProtection(input, context),
});

export const imageActions = (actions: ImageActions) =>
  ({
    ...lifecycleActions(actions.lifecycle),
    ListImagesInRecycleBin: (input: ec2.ListImagesInRecycleBinRequest, context: RequestContext) =>
      actions.bin.list(input, context),
    RestoreImageFromRecycleBin: (input: ec2.RestoreImageFromRecycleBinRequest, context: RequestContext) =>
      actions.bin.restore(input, context),
    RegisterImage: (input: ec2.RegisterImageRequest, context: RequestContext) =>
      actions.registerImage.run(input, context),
    CreateImage: (input: ec2.CreateImageRequest, context: RequestContext) => actions.createImage.run(input, context),
    CopyImage: (input: ec2.CopyImageRequest, context: RequestContext) => actions.copyImage.run(input, context),
    DeregisterImage: (input: ec2.DeregisterImageRequest, context: RequestContext) =>
      actions.deregisterImage.run(input, context),
    DescribeImages: (input: ec2.DescribeImagesRequest, context: RequestContext) =>
      actions.describeImages.run(input, context),
    DescribeImageAttribute: (input: ec2.DescribeImageAttributeRequest, context: RequestContext) =>
      actions.attributes.describe(input, context),
    ModifyImageAttribute: (input: ec2.ModifyImageAttributeRequest, context: RequestContext) =>
      actions.attributes.modify(input, context),
    ResetImageAttribute: (input: ec2.ResetImageAttributeRequest, context: RequestContext) =>
      actions.attributes.reset(input, context),
    ListImagesOfSnapshot: (input: Internal['ListImagesOfSnapshot']['in']) => actions.ofSnapshot.list(input),
    GetLaunchableImageOwner: (input: Internal['GetLaunchableImageOwner']['in'], context: RequestContext) =>
      actions.ofSnapshot.launchableOwner(input, context),
  }) satisfies RequestHandlers;
