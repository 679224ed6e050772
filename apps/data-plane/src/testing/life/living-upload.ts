import { newSnapshotId, type SnapshotId, type DataKeyUse } from '@holdfast/contracts';
import { BlockClient } from '../block-client.ts';
import { type TestHost, until } from '../harness.ts';
import { BLOCK, Content } from './content.ts';
import { LivingSnapshot } from './living-snapshot.ts';
import { placesOf } from './places.ts';
import type { Random } from './random.ts';

const MINUTE_MS = 60_000;
/** Of the service's clock: what passes between a look here and one there. */
const SLACK_MS = 2 * MINUTE_MS;

/** A snapshot that a client of EBS direct makes. */
export class LivingUpload {
  readonly snapshotId: SnapshotId = newSnapshotId();
  readonly #content: Content;
  readonly #put = new Set<number>();
  readonly #sizeGiB: number;
  readonly #timeoutMinutes: number;
  /** By the service's clock, as all that is called `nowMs`. */
  #lastPutMs = 0;
  /** From when on a service that was restarted counts at the latest: it knows only how long ago the last block came by the system's clock. */
  #countsFromMs = 0;

  constructor(
    private readonly host: TestHost,
    private readonly random: Random,
    readonly key: string | undefined,
    private readonly parent: LivingSnapshot | undefined,
  ) {
    this.#content = parent?.content.copy() ?? new Content();
    this.#sizeGiB = parent?.sizeGiB ?? random.int(1, 2);
    this.#timeoutMinutes = random.int(30, 240);
  }

  async begin(nowMs: number): Promise<void> {
    const { snapshotId } = this;
    const [sizeGiB, timeoutMinutes] = [this.#sizeGiB, this.#timeoutMinutes];
    const parentSnapshotId = this.parent?.snapshotId;
    await this.host.call('StartBlockUpload', {
      snapshotId,
      sizeGiB,
      parentSnapshotId,
      dataKey: this.#dataKey,
      timeoutMinutes,
    });
    this.#lastPutMs = nowMs;
  }

  async restarted(nowMs: number): Promise<void> {
    this.#countsFromMs = nowMs;
    await this.#state();
  }

  async put(nowMs: number): Promise<void> {
    if (!(await this.isOpen(nowMs)) || this.mayEnd(nowMs)) return;
    const client = await BlockClient.open(this.host, {
      snapshotId: this.snapshotId,
      operation: 'put',
      dataKey: this.#dataKey,
    });
    const blocks = placesOf(this.#sizeGiB).flatMap(({ offset, length }) =>
      Array.from({ length: length / BLOCK }, (_, at) => offset / BLOCK + at),
    );
    for (let count = this.random.int(1, 3); count > 0; count--) {
      const block = this.random.pick(blocks) ?? 0;
      const data = this.random.chance(0.1) ? Buffer.alloc(BLOCK) : this.random.bytes(BLOCK);
      const { code } = await client.put(block, data);
      if (code !== undefined) throw new Error(`${this.snapshotId} refused block ${block}: ${code}`);
      this.#content.write(block * BLOCK, data);
      this.#put.add(block);
      this.#lastPutMs = nowMs;
      this.#countsFromMs = 0;
    }
  }

  /** @throws Error when it is open although its time is over, or the other way round. */
  async isOpen(nowMs: number): Promise<boolean> {
    const isOver = Math.max(this.#lastPutMs, this.#countsFromMs) + this.#timeoutMinutes * MINUTE_MS + SLACK_MS < nowMs;
    if (isOver) await until(`${this.snapshotId} has timed out`, async () => (await this.#state()) === 'failed');
    const state = await this.#state();
    if (state !== 'copying' && !this.mayEnd(nowMs)) throw new Error(`${this.snapshotId} is ${state}`);
    return state === 'copying';
  }

  /** Whether it may time out any moment, or has. */
  mayEnd(nowMs: number): boolean {
    return this.#leftMs(nowMs) < SLACK_MS;
  }

  async complete(): Promise<LivingSnapshot> {
    const { snapshotId } = this;
    await this.host.call('CompleteBlockUpload', { snapshotId, changedBlocksCount: this.#put.size });
    return new LivingSnapshot(this.host, this.key, this.#sizeGiB, this.#content, snapshotId);
  }

  remove(): Promise<void> {
    return new LivingSnapshot(this.host, this.key, this.#sizeGiB, this.#content, this.snapshotId).remove();
  }

  /** Until it may time out. */
  #leftMs(nowMs: number): number {
    return this.#lastPutMs + this.#timeoutMinutes * MINUTE_MS - nowMs;
  }

  async #state(): Promise<string> {
    return (await this.host.call('GetSnapshotProgress', { snapshotId: this.snapshotId })).state;
  }

  get #dataKey(): DataKeyUse | undefined {
    return this.key === undefined ? undefined : this.host.kms.use(this.key, this.snapshotId);
  }
}
