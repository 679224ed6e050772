import { join } from 'node:path';
import { isLoss, StoreLayout, verifyStore } from '@holdfast/block-store';
import { testContext } from '@holdfast/messaging/testing';
import { turnClocks } from '@holdfast/service-kit';
import { AwsError, newSnapshotId } from '@holdfast/contracts';
import { type TestHost, until } from '../harness.ts';
import { LivingSnapshot } from './living-snapshot.ts';
import { LivingUpload } from './living-upload.ts';
import { LivingVolume } from './living-volume.ts';
import { Random } from './random.ts';

const DAY_MS = 24 * 3_600_000;
const MAX_VOLUMES = 4;
const MAX_SNAPSHOTS = 10;
const MAX_UPLOADS = 2;
const MAX_GIB = 3;
const KEYS = [undefined, 'life-a', 'life-b', 'life-c'];

export interface LifeOptions {
  readonly seed: number;
  readonly steps: number;
  /** Told of each step. */
  readonly onStep?: (step: number, what: string) => void;
}

/** What may happen next, and how often. */
type Event = readonly [weight: number, name: string, happen: () => Promise<unknown>];

/**
 * 24 hours of a data plane, in steps that a seed chooses: guests that write, snapshots, copies, archives, uploads, removals,
 * crashes of everything, beside what all of it should hold, in memory. Copies and fetches go on meanwhile in processes of
 * their own, so that the same seed repeats the choices and not each coincidence.
 */
export class Life {
  readonly volumes: LivingVolume[] = [];
  readonly snapshots: LivingSnapshot[] = [];
  readonly uploads: LivingUpload[] = [];
  /** The latest steps, for whoever has to find out. */
  readonly trace: string[] = [];
  /** How often what happened. */
  readonly counts = new Map<string, number>();
  readonly #random: Random;
  #elapsedMs = 0;

  constructor(
    private readonly host: TestHost,
    private readonly options: LifeOptions,
  ) {
    this.#random = new Random(options.seed);
  }

  async run(): Promise<void> {
    const { steps } = this.options;
    for (let step = 1; step <= steps; step++) {
      await this.#turnClock((DAY_MS / steps) * step);
      const events = this.#events();
      let draw = this.#random.next() * events.reduce((sum, [weight]) => sum + weight, 0);
      const [, name, happen] = events.find(([weight]) => (draw -= weight) < 0) ?? events[0]!;
      this.#note(`step ${step}: ${name}`);
      this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
      this.options.onStep?.(step, name);
      await happen();
    }
  }

  /** Looks at everything there is. */
  async check(when: string): Promise<void> {
    for (const volume of this.volumes) {
      if (volume.attachment === null) await volume.attach();
      await volume.setStore(true);
      await volume.check(when);
    }
    for (const snapshot of this.snapshots) {
      if (snapshot.tier === 'archive') await snapshot.restore('blocks');
      await snapshot.check(when);
    }
  }

  /** Removes everything there is. */
  async end(): Promise<void> {
    for (const snapshot of this.snapshots.splice(0)) await snapshot.remove();
    for (const upload of this.uploads.splice(0)) await upload.remove();
    for (const volume of this.volumes.splice(0)) await this.#remove(volume);
    await this.#turnClock(0);
  }

  #events(): Event[] {
    const random = this.#random;
    const events: Event[] = [];
    const attached = random.pick(this.volumes.filter(({ attachment }) => attachment !== null));
    const idle = random.pick(this.volumes.filter(({ attachment }) => attachment === null));
    const snapshot = random.pick(this.snapshots);
    const active = random.pick(this.snapshots.filter(({ tier, canComplete }) => tier === 'blocks' && canComplete));
    const archived = random.pick(this.snapshots.filter(({ tier }) => tier === 'archive'));
    if (this.volumes.length < MAX_VOLUMES) {
      events.push([this.volumes.length === 0 ? 20 : 2, 'create', () => this.#create()]);
      if (active !== undefined) events.push([4, `restore ${active.snapshotId}`, () => this.#restore(active)]);
    }
    if (attached !== undefined) events.push(...this.#guestEvents(attached));
    if (idle !== undefined) {
      const id = idle.volumeId;
      events.push([4, `attach ${id}`, () => idle.attach()], [1, `remove ${id}`, () => this.#remove(idle)]);
      events.push([1, `kill the background of ${id}`, () => Promise.resolve(this.#killBackground(idle))]);
      if (idle.sizeGiB < MAX_GIB) events.push([1, `grow ${id}`, () => this.#grow(idle)]);
      if (this.#hasRoom) events.push([1, `freeze ${id}`, () => this.#freeze(idle)]);
    }
    if (snapshot !== undefined) {
      const weight = this.#hasRoom ? 1 : 6;
      events.push([weight, `remove ${snapshot.snapshotId}`, () => this.removeSnapshot(snapshot)]);
    }
    if (active !== undefined) events.push(...this.#snapshotEvents(active));
    if (archived !== undefined) {
      const keep = random.chance(0.5) ? 'archive' : 'blocks';
      events.push([2, `unarchive ${archived.snapshotId}, keep ${keep}`, () => archived.restore(keep)]);
    }
    events.push(...this.#uploadEvents());
    events.push(
      [0.5, 'verify the store', () => this.#verify()],
      [0.7, 'kill the service', () => this.#restart('SIGKILL')],
      [0.3, 'stop the service', () => this.#restart('SIGTERM')],
    );
    return events;
  }

  #guestEvents(volume: LivingVolume): Event[] {
    const id = volume.volumeId;
    const events: Event[] = [
      [24, `write ${id}`, () => volume.write()],
      [8, `flush ${id}`, () => volume.flush()],
      [6, `look ${id}`, () => volume.look()],
      [2, `check ${id}`, () => volume.check('under way')],
      [2, `detach ${id}`, () => volume.detach()],
      [1, `share ${id}`, () => volume.share()],
      [1.5, `kill the host of ${id}`, () => volume.killHost()],
      [2, `lose power of ${id}`, () => volume.losePower()],
      volume.hasStore
        ? [1, `take the store from ${id}`, () => this.#takeStore(volume)]
        : [5, `give the store to ${id}`, () => volume.setStore(true)],
    ];
    if (volume.sizeGiB < MAX_GIB) events.push([1, `grow ${id}`, () => this.#grow(volume)]);
    if (this.#hasRoom) {
      events.push([5, `freeze ${id}`, () => this.#freeze(volume)]);
      if (volume.hasStore) events.push([2, `freeze ${id} under writes`, () => this.#freezeUnderWrites(volume)]);
      events.push([1, `freeze ${id} and kill`, () => this.#freezeAndKill(volume)]);
      if (this.volumes.length > 1) events.push([1, 'freeze all together', () => this.#freezeTogether()]);
    }
    return events;
  }

  #snapshotEvents(snapshot: LivingSnapshot): Event[] {
    const id = snapshot.snapshotId;
    const events: Event[] = [
      [2, `check ${id}`, () => snapshot.check('under way')],
      [0.5, `export ${id}`, () => snapshot.checkExport()],
      [1, `read ${id} block by block`, () => snapshot.checkBlocks()],
      [1, `archive ${id}`, () => snapshot.archive()],
    ];
    if (this.#hasRoom) events.push([4, `copy ${id}`, () => this.#copy(snapshot)]);
    return events;
  }

  #uploadEvents(): Event[] {
    const upload = this.#random.pick(this.uploads);
    const events: Event[] = [];
    if (this.uploads.length < MAX_UPLOADS) events.push([1, 'begin an upload', () => this.#upload()]);
    if (upload === undefined) return events;
    const id = upload.snapshotId;
    events.push([3, `put into ${id}`, () => upload.put(this.#nowMs)], [1, `look at ${id}`, () => this.#look(upload)]);
    if (this.#hasRoom) events.push([2, `complete ${id}`, () => this.#complete(upload)]);
    return events;
  }

  get #hasRoom(): boolean {
    return this.snapshots.length < MAX_SNAPSHOTS;
  }

  async #create(): Promise<void> {
    const volume = new LivingVolume(this.host, this.#random, this.#random.pick(KEYS), this.#random.int(1, 2));
    await this.host.allocate({ volumeId: volume.volumeId, sizeGiB: volume.sizeGiB, dataKey: volume.dataKey });
    this.volumes.push(volume);
    await volume.attach();
  }

  async #restore(snapshot: LivingSnapshot): Promise<void> {
    await snapshot.complete();
    const random = this.#random;
    const key = random.chance(0.6) ? snapshot.key : (random.pick(KEYS) ?? snapshot.key ?? 'life-a');
    const sizeGiB = Math.min(MAX_GIB, snapshot.sizeGiB + (random.chance(0.3) ? 1 : 0));
    const volume = new LivingVolume(this.host, random, key, sizeGiB, snapshot.content.copy());
    const initialized = random.chance(0.2);
    const { volumeId, dataKey } = volume;
    const initializationRateMiBps = !initialized && random.chance(0.5) ? random.int(1, 3) : undefined;
    const request = { volumeId, sizeGiB, dataKey, source: snapshot.source, initialized, initializationRateMiBps };
    if (random.chance(0.1)) {
      // It may have begun, or not, or be done.
      this.#note('and kill the service');
      this.host.bus.request('data-plane', 'AllocateVolume', request, testContext(30_000)).catch(() => undefined);
      await this.#restart('SIGKILL');
    }
    await this.host.allocate(request);
    this.volumes.push(volume);
    if (random.chance(0.3)) await this.removeSnapshot(snapshot);
    if (random.chance(0.8)) await volume.attach();
    if (random.chance(0.3) && volume.attachment !== null) await volume.check('restored');
  }

  async #remove(volume: LivingVolume): Promise<void> {
    await volume.detach();
    this.volumes.splice(0, this.volumes.length, ...this.volumes.filter((other) => other !== volume));
    const { volumeId } = volume;
    const remove = async () => {
      try {
        await this.host.call('RemoveVolume', { volumeId });
        return true;
      } catch (error) {
        if (error instanceof AwsError && error.code === 'VolumeBusy') return false;
        throw error;
      }
    };
    await until(`${volumeId} is removed`, remove, 60_000);
  }

  /** Not from one that needs it to be read. */
  async #takeStore(volume: LivingVolume): Promise<void> {
    if (await volume.isInitialized()) await volume.setStore(false);
  }

  async #grow(volume: LivingVolume): Promise<void> {
    const sizeGiB = volume.sizeGiB + 1;
    await this.host.call('GrowVolume', { volumeId: volume.volumeId, sizeGiB });
    volume.sizeGiB = sizeGiB;
    if (volume.attachment === null) return;
    await volume.disconnect();
    await volume.connect();
  }

  async #freeze(volume: LivingVolume): Promise<void> {
    const snapshot = this.#snapshotOf(volume);
    await this.host.call('FreezeSnapshot', { snapshotId: snapshot.snapshotId, volumeId: volume.volumeId });
    this.snapshots.push(snapshot);
  }

  async #freezeUnderWrites(volume: LivingVolume): Promise<void> {
    const snapshot = this.#snapshotOf(volume);
    const sent = volume.send();
    for (const { offset, data } of sent) snapshot.content.mayHave(offset, data);
    await this.host.call('FreezeSnapshot', { snapshotId: snapshot.snapshotId, volumeId: volume.volumeId });
    await volume.settle(sent);
    await volume.write();
    this.snapshots.push(snapshot);
    // What is in it is known from here on.
    await snapshot.check('taken under writes');
  }

  /** The block host is killed right after its answer, or before it: then it is asked again. */
  async #freezeAndKill(volume: LivingVolume): Promise<void> {
    const snapshot = this.#snapshotOf(volume);
    const input = { snapshotId: snapshot.snapshotId, volumeId: volume.volumeId };
    const frozen = this.host.bus.request('data-plane', 'FreezeSnapshot', input, testContext(30_000)).then(
      () => true,
      () => false,
    );
    if (this.#random.chance(0.5)) await frozen;
    const pid = volume.hostPid;
    if (pid !== null) process.kill(pid, 'SIGKILL');
    await frozen;
    await volume.disconnect();
    await volume.connect();
    await this.host.call('FreezeSnapshot', input);
    this.snapshots.push(snapshot);
    await volume.check('after kill -9 at a freeze');
  }

  async #freezeTogether(): Promise<void> {
    const taken = this.volumes
      .slice(0, MAX_SNAPSHOTS + 2 - this.snapshots.length)
      .map((volume) => [volume.volumeId, this.#snapshotOf(volume)] as const);
    const members = taken.map(([volumeId, { snapshotId }]) => ({ volumeId, snapshotId }));
    await this.host.call('FreezeSnapshots', { snapshots: members });
    this.snapshots.push(...taken.map(([, snapshot]) => snapshot));
  }

  #snapshotOf(volume: LivingVolume): LivingSnapshot {
    const { key, sizeGiB, content } = volume;
    return new LivingSnapshot(this.host, key, sizeGiB, content.copy(), newSnapshotId(), false, volume);
  }

  async #copy(from: LivingSnapshot): Promise<void> {
    await from.complete();
    const random = this.#random;
    const key = random.chance(0.3) ? from.key : (random.pick(KEYS) ?? from.key ?? 'life-b');
    const isCopy = key !== from.key;
    const copy = new LivingSnapshot(this.host, key, from.sizeGiB, from.content.copy(), newSnapshotId(), isCopy);
    const earlier = this.snapshots.filter((other) => other.isCopy && other.key === key);
    const previousCopy = random.chance(0.8) ? random.pick(earlier)?.snapshotId : undefined;
    const { snapshotId, dataKey } = copy;
    await this.host.call('StartSnapshotCopy', { snapshotId, source: from.source, dataKey, previousCopy });
    this.snapshots.push(copy);
    if (random.chance(0.2)) await this.removeSnapshot(from);
    if (previousCopy !== undefined) this.#note(`incremental to ${previousCopy}`);
  }

  async removeSnapshot(snapshot: LivingSnapshot): Promise<void> {
    this.snapshots.splice(0, this.snapshots.length, ...this.snapshots.filter((other) => other !== snapshot));
    await snapshot.remove();
  }

  async #upload(): Promise<void> {
    const parents = this.snapshots.filter(
      ({ tier, sizeGiB, canComplete }) => tier === 'blocks' && sizeGiB < MAX_GIB && canComplete,
    );
    const parent = this.#random.chance(0.4) ? this.#random.pick(parents) : undefined;
    await parent?.complete();
    const key = parent === undefined ? this.#random.pick(KEYS) : parent.key;
    const upload = new LivingUpload(this.host, this.#random, key, parent);
    await upload.begin(this.#nowMs);
    this.uploads.push(upload);
  }

  async #look(upload: LivingUpload): Promise<void> {
    if (await upload.isOpen(this.#nowMs)) return;
    this.#forget(upload);
    await upload.remove();
  }

  async #complete(upload: LivingUpload): Promise<void> {
    this.#forget(upload);
    const isOpen = await upload.isOpen(this.#nowMs);
    if (!isOpen || upload.mayEnd(this.#nowMs)) return upload.remove();
    this.snapshots.push(await upload.complete());
  }

  #forget(upload: LivingUpload): void {
    this.uploads.splice(this.uploads.indexOf(upload), 1);
  }

  /** While copies and collections go on. */
  async #verify(): Promise<void> {
    const { findings } = await verifyStore(new StoreLayout(join(this.host.home, 'data-plane')));
    const losses = findings.filter(isLoss);
    if (losses.length > 0) throw new Error(JSON.stringify(losses));
  }

  #killBackground(volume: LivingVolume): void {
    const pid = volume.hostPid;
    if (pid === null) return;
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It had just ended.
    }
  }

  async #restart(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const attached = this.volumes.filter(({ attachment }) => attachment !== null);
    const sent = new Map(attached.map((volume) => [volume, volume.send(2)]));
    for (const volume of attached) if (this.#random.chance(0.5)) await sent.get(volume)?.[0]?.answered;
    await this.host.killService(signal);
    for (const volume of attached) {
      await volume.settle(sent.get(volume) ?? []);
      await volume.disconnect();
    }
    await this.host.startService();
    await this.#turnClock(this.#elapsedMs);
    for (const upload of this.uploads) await upload.restarted(this.#nowMs);
    for (const volume of attached) {
      await volume.resume();
      await volume.check('after a restart of the service');
    }
  }

  /** By the service's clock. */
  get #nowMs(): number {
    return Date.now() + this.#elapsedMs;
  }

  async #turnClock(elapsedMs: number): Promise<void> {
    this.#elapsedMs = elapsedMs;
    await turnClocks(this.host.bus.connection, ['data-plane'], elapsedMs, 10_000);
  }

  #note(what: string): void {
    this.trace.push(what);
    if (this.trace.length > 60) this.trace.shift();
  }
}
