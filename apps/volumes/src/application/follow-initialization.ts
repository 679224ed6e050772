import type { VolumeId } from '@holdfast/contracts';
import { ebsServiceContext } from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import { deadline } from './deadline.ts';
import type { Cause, VolumeStreams } from './ports.ts';

/** How soon to look again, in milliseconds: often at first, since most volumes are small. EC2 tells within five minutes. */
const SOON_MS = 250;
const LATER_MS = 5_000;
const SOON_FOR_MS = 10_000;

/** Reacts to VolumeProvisioned: notes when all blocks of a volume's snapshot are there. */
export class FollowInitialization {
  constructor(
    private readonly volumes: VolumeStreams,
    private readonly requests: Requests,
    private readonly clock: Clock,
  ) {}

  async run(volumeId: VolumeId, cause: Cause): Promise<{ retryAfterMs: number } | undefined> {
    const { created, status, initialized } = await this.volumes.load(volumeId);
    // What fast snapshot restore made was complete from the first moment: EC2 tells nothing of it.
    if (created === null || created.source === null || created.fastRestored === true || initialized) return undefined;
    if (status === 'deleting' || status === 'gone') return undefined;
    const context = ebsServiceContext(cause.caller, deadline());
    const { initializations } = await this.requests.call(
      'data-plane',
      'GetInitialization',
      { volumeIds: [volumeId] },
      context,
    );
    if (initializations[0]?.progress !== 100) {
      const ageMs = this.clock.now().getTime() - Date.parse(created.at);
      return { retryAfterMs: ageMs < SOON_FOR_MS ? SOON_MS : LATER_MS };
    }
    await this.volumes.handle({ type: 'NoteInitialized', volumeId, at: this.clock.instant() }, cause);
    return undefined;
  }
}
