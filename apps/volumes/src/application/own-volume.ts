import type { RequestContext, VolumeId } from '@holdfast/contracts';
import type { VolumeState } from '../domain/volume-state.ts';
import type { VolumeStreams } from './ports.ts';
import { refusal } from './refusals.ts';

type Existing = VolumeState & { created: NonNullable<VolumeState['created']> };

/**
 * The caller's volume in the caller's Region. Another account's is as absent as one that never was, and so is one in the
 * Recycle Bin.
 * @throws DomainError VolumeNotFound
 */
export const ownVolume = async (
  volumes: VolumeStreams,
  volumeId: VolumeId,
  context: RequestContext,
): Promise<Existing> => {
  const state = await ownOrRecycled(volumes, volumeId, context);
  if (state.status === 'recycled') throw refusal('VolumeNotFound', { volumeId });
  return state;
};

/** As `ownVolume`, in the Recycle Bin too. */
export const ownOrRecycled = async (
  volumes: VolumeStreams,
  volumeId: VolumeId,
  { accountId, region }: RequestContext,
): Promise<Existing> => {
  const state = await volumes.load(volumeId);
  const { created, status } = state;
  if (created?.accountId !== accountId || created.region !== region || status === 'gone')
    throw refusal('VolumeNotFound', { volumeId });
  return { ...state, created };
};
