import type { ec2 } from '@holdfast/aws-protocol';
import { callerOf, type ImageId, instant, type RequestContext } from '@holdfast/contracts';
import { dryRunOperation, missingParameter } from '@holdfast/ec2';
import type { Clock } from '@holdfast/service-kit';
import type { LifecycleCommand } from '../domain/image-lifecycle.ts';
import { protectionText } from './image-ports.ts';
import { imageRefusal } from './image-refusals.ts';
import type { ImageRequests } from './image-requests.ts';

interface OfImage {
  ImageId?: string;
  DryRun?: boolean;
}
interface Done {
  Return: boolean;
}

type Step = LifecycleCommand extends infer Each
  ? Each extends LifecycleCommand
    ? Omit<Each, 'imageId' | 'at'>
    : never
  : never;

/** What an image's owner decides about its life: when it is deprecated, whether it may be used, and be deregistered. */
export class ImageLifecycle {
  constructor(
    private readonly images: ImageRequests,
    private readonly clock: Clock,
  ) {}

  async enableDeprecation(
    input: Partial<ec2.EnableImageDeprecationRequest>,
    context: RequestContext,
  ): Promise<ec2.EnableImageDeprecationResult> {
    const { DeprecateAt } = input;
    if (DeprecateAt === undefined) throw missingParameter('DeprecateAt');
    const deprecateAt = instant(new Date(DeprecateAt));
    return this.done(input, { type: 'SetDeprecation', deprecateAt }, context);
  }

  disableDeprecation(input: OfImage, context: RequestContext): Promise<ec2.DisableImageDeprecationResult> {
    return this.done(input, { type: 'CancelDeprecation' }, context);
  }

  disable(input: OfImage, context: RequestContext): Promise<ec2.DisableImageResult> {
    return this.done(input, { type: 'DisableImage' }, context);
  }

  enable(input: OfImage, context: RequestContext): Promise<ec2.EnableImageResult> {
    return this.done(input, { type: 'EnableImage' }, context);
  }

  /** What both of these answer is the protection itself, as AWS's own examples show. */
  enableProtection(
    input: Partial<ec2.EnableImageDeregistrationProtectionRequest>,
    context: RequestContext,
  ): Promise<ec2.EnableImageDeregistrationProtectionResult> {
    return this.protection(input, { type: 'ProtectImage', withCooldown: input.WithCooldown ?? false }, context);
  }

  disableProtection(input: OfImage, context: RequestContext): Promise<ec2.DisableImageDeregistrationProtectionResult> {
    return this.protection(input, { type: 'UnprotectImage' }, context);
  }

  private async done(input: OfImage, step: Step, context: RequestContext): Promise<Done> {
    await this.run(input, step, context);
    return { Return: true };
  }

  private async protection(input: OfImage, step: Step, context: RequestContext): Promise<{ Return: string }> {
    const imageId = await this.run(input, step, context);
    return { Return: protectionText(await this.images.streams.load(imageId), this.clock.instant()) };
  }

  private async run({ ImageId, DryRun }: OfImage, step: Step, context: RequestContext): Promise<ImageId> {
    const { imageId } = await this.images.own(ImageId, context);
    if (DryRun === true) throw dryRunOperation();
    const command = { ...step, imageId, at: this.clock.instant() };
    await this.images.streams.handle(command, callerOf(context)).catch((error) => {
      throw imageRefusal(error);
    });
    return imageId;
  }
}
