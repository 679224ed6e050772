import type { ParsedRequest } from '@holdfast/aws-protocol';
import type { RequestContext } from '@holdfast/contracts';
import type { Requests } from '@holdfast/messaging';

type Check = (
  input: ParsedRequest['input'],
  requests: Pick<Requests, 'call'>,
  context: RequestContext,
) => Promise<unknown>;

const ofVolumes =
  (action: 'CreateVolume' | 'DeleteVolume'): Check =>
  (input, requests, context) =>
    requests.call('volumes', 'CheckCall', { action, input }, context);

const ofSnapshots =
  (action: 'CopySnapshot' | 'ModifySnapshotAttribute'): Check =>
  (input, requests, context) =>
    requests.call('snapshots', 'CheckCall', { action, input }, context);

/**
 * EC2 looks at the parameters of these calls, and at whether what they name is there for the caller's account, before it looks
 * at what the caller may do. Whoever may make the call learns it from the call itself, so that only a refused one is asked about.
 */
const CHECKED_FIRST: Readonly<Record<string, Check>> = {
  CopySnapshot: ofSnapshots('CopySnapshot'),
  CreateVolume: ofVolumes('CreateVolume'),
  DeleteVolume: ofVolumes('DeleteVolume'),
  ModifySnapshotAttribute: ofSnapshots('ModifySnapshotAttribute'),
};

/** @throws AwsError what is wrong with a call that its caller may not make, where EC2 says that first. */
export const checkFirst = async (
  { service, operation, input }: ParsedRequest,
  context: RequestContext,
  requests: Pick<Requests, 'call'>,
): Promise<void> => {
  if (service === 'ec2') await CHECKED_FIRST[operation]?.(input, requests, context);
};
