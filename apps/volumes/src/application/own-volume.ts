import type { RequestContext, VolumeId } from '@holdfast/contracts';
import type { VolumeState } from '../domain/volume-state.ts';
import type { VolumeStreams } from './ports.ts';
import { refusal } from './refusals.ts';

/**
 * The caller's volume in the caller's Region. Another account's is as absent as one that never was.
 * @throws DomainError VolumeNotFound
 */
export const ownVolume = async (
  volumes: VolumeStreams,
  volumeId: VolumeId,
  { accountId, region }: RequestContext,
): Promise<VolumeState & { created: NonNullable<VolumeState['created']> }> => {
  const state = await volumes.load(volumeId);
  const { created, status } = state;
  if (created?.accountId !== accountId || created.region !== region || status === 'gone')
    throw refusal('VolumeNotFound', { volumeId });
  return { ...state, created };
};
