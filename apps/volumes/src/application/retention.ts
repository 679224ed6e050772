import type { RequestContext } from '@holdfast/contracts';
import type { Requests } from '@holdfast/messaging';
import type { VolumeState } from '../domain/volume-state.ts';

/** How many days the Recycle Bin keeps a volume of the caller's that is deleted now; null: no rule keeps it. */
export const retentionOf = async (
  { tags, retentionWaived }: Pick<VolumeState, 'tags' | 'retentionWaived'>,
  requests: Pick<Requests, 'call'>,
  context: RequestContext,
): Promise<number | null> => {
  if (retentionWaived) return null;
  const resource = { resourceType: 'EBS_VOLUME' as const, tags: { ...tags } };
  return (await requests.call('snapshots', 'GetRetention', resource, context)).days;
};
