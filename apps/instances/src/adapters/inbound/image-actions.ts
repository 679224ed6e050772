import type { ec2 } from '@holdfast/aws-protocol';
import type { InternalRequests, RequestContext } from '@holdfast/contracts';
import type { RequestHandlers } from '@holdfast/messaging';
import type { CopyImage } from '../../application/copy-image.ts';
import type { CreateImage } from '../../application/create-image.ts';
import type { DeregisterImage } from '../../application/deregister-image.ts';
import type { DescribeImages } from '../../application/describe-images.ts';
import type { ImageAttributes } from '../../application/image-attributes.ts';
import type { ImagesOfSnapshot } from '../../application/images-of-snapshot.ts';
import type { RegisterImage } from '../../application/register-image.ts';

export interface ImageActions {
  registerImage: RegisterImage;
  createImage: CreateImage;
  copyImage: CopyImage;
  deregisterImage: DeregisterImage;
  describeImages: DescribeImages;
  attributes: ImageAttributes;
  ofSnapshot: ImagesOfSnapshot;
}

type Internal = InternalRequests['instances'];

export const imageActions = (actions: ImageActions) =>
  ({
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
