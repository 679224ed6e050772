import type { VolumeId } from '@holdfast/contracts';
import { ebsServiceContext, isRefusal } from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import { performanceOf } from '../domain/volume-state.ts';
import type { VolumeConfiguration } from '../domain/volume-type-limits.ts';
import { deadline } from './deadline.ts';
import type { Cause, VolumeStreams } from './ports.ts';

/** How long after its beginning a modification is complete, in milliseconds: EC2 takes about as long on an empty volume. */
const OPTIMIZING_MS = 2_000;
/** Longest wait before the clock is looked at again, in milliseconds: it may have been turned. */
const LOOK_AGAIN_MS = 500;

/** Reacts to ModificationStarted: from `modifying` by way of `optimizing` to `completed`. */
export class FollowModification {
  constructor(
    private readonly volumes: VolumeStreams,
    private readonly requests: Requests,
    private readonly clock: Clock,
  ) {}

  async run(volumeId: VolumeId, cause: Cause): Promise<{ retryAfterMs: number } | undefined> {
    const { modification, status } = await this.volumes.load(volumeId);
    const isThere = status === 'available' || status === 'in-use' || status === 'recycled';
    if (modification === null || !isThere) return undefined;
    const { state, original, target, startedAt } = modification;
    if (state === 'modifying') {
      if (target.sizeGiB > original.sizeGiB && !(await this.grow(volumeId, target.sizeGiB, cause))) return undefined;
      await this.volumes.handle({ type: 'NoteModificationEffect', volumeId, at: this.clock.instant() }, cause);
      await this.perform(volumeId, target, cause);
    } else if (state !== 'optimizing') return undefined;
    const leftMs = Date.parse(startedAt) + OPTIMIZING_MS - this.clock.now().getTime();
    if (leftMs > 0) return { retryAfterMs: Math.min(leftMs, LOOK_AGAIN_MS) };
    // Again: an attachment that was under way may have brought what the volume was before.
    if (state === 'optimizing') await this.perform(volumeId, target, cause);
    await this.volumes.handle({ type: 'CompleteModification', volumeId, at: this.clock.instant() }, cause);
    return undefined;
  }

  /** A device that is open is faster or slower from now on. */
  private async perform(volumeId: VolumeId, target: VolumeConfiguration, cause: Cause): Promise<void> {
    const performance = performanceOf(target);
    if (performance === undefined) return;
    const context = ebsServiceContext(cause.caller, deadline());
    await this.requests.call('data-plane', 'SetPerformance', { volumeId, performance }, context);
  }

  /** @returns false when the host refused, and the modification has failed. */
  private async grow(volumeId: VolumeId, sizeGiB: number, cause: Cause): Promise<boolean> {
    try {
      const context = ebsServiceContext(cause.caller, deadline());
      await this.requests.call('data-plane', 'GrowVolume', { volumeId, sizeGiB }, context);
      return true;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const text = error.message === '' ? error.code : error.message;
      await this.volumes.handle({ type: 'FailModification', volumeId, cause: text, at: this.clock.instant() }, cause);
      return false;
    }
  }
}

/** In percent: nothing but time is waited for while a modification is being optimized. */
export const optimizingProgress = (startedAt: string, now: Date): number =>
  Math.max(0, Math.min(99, Math.floor(((now.getTime() - Date.parse(startedAt)) / OPTIMIZING_MS) * 100)));
