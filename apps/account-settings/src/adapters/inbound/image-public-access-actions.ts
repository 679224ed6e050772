import type { ec2 } from '@holdfast/aws-protocol';
import type { RequestContext } from '@holdfast/contracts';
import { dryRunOperation, invalidParameterValue, missingParameter } from '@holdfast/ec2';
import type { RequestHandlers } from '@holdfast/messaging';
import type { ImageBlockPublicAccess } from '../../application/image-public-access.ts';

const refuseDryRun = ({ DryRun }: { DryRun?: boolean }) => {
  if (DryRun === true) throw dryRunOperation();
};

const checkState = (state: string | undefined): void => {
  if (state === undefined || state === '') throw missingParameter('ImageBlockPublicAccessState');
  if (state !== 'block-new-sharing')
    throw invalidParameterValue(`Value (${state}) for parameter ImageBlockPublicAccessState is invalid.`);
};

export const imagePublicAccessActions = (publicAccess: ImageBlockPublicAccess) =>
  ({
    EnableImageBlockPublicAccess: async (
      input: Partial<ec2.EnableImageBlockPublicAccessRequest>,
      context: RequestContext,
    ): Promise<ec2.EnableImageBlockPublicAccessResult> => {
      checkState(input.ImageBlockPublicAccessState);
      refuseDryRun(input);
      return { ImageBlockPublicAccessState: await publicAccess.enable(context) };
    },
    DisableImageBlockPublicAccess: async (
      input: ec2.DisableImageBlockPublicAccessRequest,
      context: RequestContext,
    ): Promise<ec2.DisableImageBlockPublicAccessResult> => {
      refuseDryRun(input);
      return { ImageBlockPublicAccessState: await publicAccess.disable(context) };
    },
    GetImageBlockPublicAccessState: async (
      input: ec2.GetImageBlockPublicAccessStateRequest,
      context: RequestContext,
    ): Promise<ec2.GetImageBlockPublicAccessStateResult> => {
      refuseDryRun(input);
      return { ImageBlockPublicAccessState: await publicAccess.get(context), ManagedBy: 'account' };
    },
  }) satisfies RequestHandlers;
