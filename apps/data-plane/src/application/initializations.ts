import { existsSync } from 'node:fs';
import { BLOCK_SIZE_BYTES, readVolumeHeader, type StoreLayout } from '@holdfast/block-store';
import type { InternalRequests, VolumeId } from '@holdfast/contracts';
import { initializationReply } from '../host-protocol.ts';
import type { VolumeHosts } from './volume-hosts.ts';

type Initialization = InternalRequests['data-plane']['GetInitialization']['out']['initializations'][number];

const MIB = 1_048_576;
/** Said as long as any block is missing. */
const ALMOST = 99;

/** How far volumes made from snapshots have got their blocks. */
export class Initializations {
  /** As it was last told; a volume whose host has to wait for its turn keeps it. */
  readonly #last = new Map<VolumeId, number>();

  constructor(
    private readonly layout: StoreLayout,
    private readonly hosts: Pick<VolumeHosts, 'hostOf'>,
  ) {}

  async of(volumeIds: readonly VolumeId[]): Promise<Initialization[]> {
    return Promise.all(volumeIds.map((volumeId) => this.#of(volumeId)));
  }

  async #of(volumeId: VolumeId): Promise<Initialization> {
    const host = this.hosts.hostOf(volumeId);
    const isDone = () => !existsSync(this.layout.volume(volumeId).source);
    // A host that ends meanwhile has nothing more to say.
    const answer = isDone() ? null : await host?.call('Initialization', {}).catch(() => null);
    if (isDone()) {
      this.#last.delete(volumeId);
      return { volumeId, progress: 100, secondsLeft: 0 };
    }
    const counted = initializationReply.safeParse(answer);
    if (!counted.success) return { volumeId, progress: this.#last.get(volumeId) ?? 0, secondsLeft: null };
    const { blocks, missing } = counted.data;
    const progress = blocks === 0 ? ALMOST : Math.min(ALMOST, Math.floor(((blocks - missing) / blocks) * 100));
    this.#last.set(volumeId, progress);
    const rate = readVolumeHeader(this.layout, volumeId)?.initializationRateMiBps;
    const secondsLeft = rate === undefined ? null : Math.ceil((missing * BLOCK_SIZE_BYTES) / MIB / rate);
    return { volumeId, progress, secondsLeft };
  }
}
