import type { SnapshotId, VolumeId } from '@holdfast/contracts';
import type { HostProcess } from '../host-process.ts';
import type { NoteFreeze } from '../metrics.ts';
import { Serial } from '../serial.ts';
import type { VolumeHosts } from './volume-hosts.ts';

interface Member {
  readonly volumeId: VolumeId;
  readonly snapshotId: SnapshotId;
}

interface Held {
  readonly host: HostProcess;
  readonly snapshotId: SnapshotId;
  readonly sinceMs: number;
}

/**
 * Snapshots of several volumes at one moment, as a loss of power would leave them: every volume is held still, then each is
 * frozen, then all go on. A write that its guest saw done before it began another one is in them if that one is.
 */
export class FreezeTogether {
  /** One set after the other: two that share volumes would wait for each other. */
  readonly #serial = new Serial<string>();

  constructor(
    private readonly hosts: Pick<VolumeHosts, 'withHost'>,
    private readonly noteFreeze: NoteFreeze,
  ) {}

  /** @throws AwsError VolumeNotFound; anything else when not all were frozen while all stood still. */
  run(members: readonly Member[]): Promise<void> {
    return this.#serial.run('', async () => {
      const held: Held[] = [];
      try {
        await this.#holdFrom(0, members, held);
      } finally {
        await Promise.allSettled(held.map(({ host }) => host.call('Release', {})));
      }
      const [first] = held;
      if (first !== undefined) this.noteFreeze('set', performance.now() - first.sinceMs);
    });
  }

  /** One volume's turn inside the other's, so that nothing else is done with any of them meanwhile. */
  async #holdFrom(at: number, members: readonly Member[], held: Held[]): Promise<void> {
    const member = members[at];
    if (member !== undefined) {
      const { volumeId, snapshotId } = member;
      return this.hosts.withHost(volumeId, async (host) => {
        held.push({ host, snapshotId, sinceMs: performance.now() });
        await host.call('Hold', {});
        await this.#holdFrom(at + 1, members, held);
      });
    }
    for (const { host, snapshotId } of held) await host.call('Freeze', { snapshotId, held: true });
  }
}
