import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type HostAttachment, newVolumeId, type DataKeyUse, type VolumeId } from '@holdfast/contracts';
import { NbdClient } from '@holdfast/nbd/client';
import { type TestHost, until } from '../harness.ts';
import { Content, GIB } from './content.ts';
import { placesOf, type Range, rangesIn } from './places.ts';
import type { Random } from './random.ts';

const AGAIN_MS = 60_000;

/** What a guest sent, and whether it was answered. */
interface Sent extends Range {
  readonly data: Buffer;
  readonly fua: boolean;
  readonly answered: Promise<boolean>;
}

/** A volume, its guest, and what it should hold. */
export class LivingVolume {
  readonly volumeId: VolumeId = newVolumeId();
  attachment: HostAttachment | null = null;
  /** Whether its block host can store what it freezes. */
  hasStore = true;
  #client: NbdClient | null = null;
  #socketPath = '';

  constructor(
    private readonly host: TestHost,
    private readonly random: Random,
    readonly key: string | undefined,
    public sizeGiB: number,
    readonly content = new Content(),
  ) {}

  get dataKey(): DataKeyUse | undefined {
    return this.key === undefined ? undefined : this.host.kms.use(this.key, this.volumeId);
  }

  async attach(): Promise<void> {
    const attached = await this.host.attach(this.volumeId, this.dataKey, '/dev/sdf', true);
    this.attachment = this.host.attachments.find(({ instanceId }) => instanceId === attached.instanceId) ?? null;
    this.#socketPath = attached.socketPath;
    await this.#keepUnsynced();
    await this.connect();
  }

  async detach(): Promise<void> {
    const { attachment } = this;
    if (attachment === null) return;
    if (!this.hasStore) await this.setStore(true);
    this.attachment = null;
    await this.disconnect();
    this.host.attachments.splice(this.host.attachments.indexOf(attachment), 1);
    await this.host.call('CloseExport', { volumeId: this.volumeId, instanceId: attachment.instanceId });
    this.content.flushed();
  }

  /** As an initiator does, again and again. */
  async connect(): Promise<void> {
    await until(
      `someone serves ${this.volumeId}`,
      async () => {
        this.#client = await NbdClient.connect(this.#socketPath).catch(() => null);
        return this.#client !== null;
      },
      AGAIN_MS,
    );
    const { sizeBytes = 0 } = this.#client ?? {};
    if (sizeBytes !== this.sizeGiB * GIB)
      throw new Error(`${this.volumeId} has ${sizeBytes} bytes, not those of ${this.sizeGiB} GiB`);
  }

  async disconnect(): Promise<void> {
    // Its server may be dead.
    await this.#client?.close().catch(() => undefined);
    this.#client = null;
  }

  /** Of the service that was started again. */
  async resume(): Promise<void> {
    await this.#keepUnsynced();
    await this.connect();
  }

  /** Without it what is frozen waits, and what is overwritten spills. */
  async setStore(hasStore: boolean): Promise<void> {
    this.hasStore = hasStore;
    await this.#keepUnsynced();
  }

  /** Whether nothing of it is only in the snapshot that it was made from. */
  async isInitialized(): Promise<boolean> {
    const { initializations } = await this.host.call('GetInitialization', { volumeIds: [this.volumeId] });
    return initializations[0]?.progress === 100;
  }

  async write(): Promise<void> {
    const all = this.send();
    for (const { answered, offset, length } of all)
      if (!(await answered)) throw new Error(`${this.volumeId} refused ${length} bytes at ${offset}`);
    await this.settle(all);
  }

  /** Several changes at once. Their fate is `settle`'s business. */
  send(count = this.random.int(1, 6)): Sent[] {
    return rangesIn(placesOf(this.sizeGiB), count, this.random).map(({ offset, length }) => {
      const kind = this.random.pick(['write', 'write', 'write', 'trim', 'zero', 'allocate']);
      const fua = this.random.chance(0.1);
      const data = kind === 'write' ? this.random.bytes(length) : Buffer.alloc(length);
      const answered = this.#request(kind, offset, data, fua).then(
        () => true,
        () => false,
      );
      return { offset, length, data, fua, answered };
    });
  }

  /** After a crash: what was answered is there, the rest may be. */
  async settle(all: readonly Sent[]): Promise<void> {
    for (const { offset, length, data, fua, answered } of all) {
      if (!(await answered)) this.content.mayHave(offset, data);
      else this.content.write(offset, data);
      if (fua && (await answered)) this.content.flushedIn(offset, length);
    }
  }

  async flush(): Promise<void> {
    await this.#guest.flush();
    this.content.flushed();
  }

  /** Is attached to one more instance for a while: what the one writes, the other sees at once. */
  async share(): Promise<void> {
    const { socketPath, instanceId } = await this.host.attach(this.volumeId, this.dataKey, '/dev/sdg', true);
    const [own, other] = [this.#client, await NbdClient.connect(socketPath)];
    for (const writer of [own, other]) {
      this.#client = writer;
      await this.write();
      this.#client = writer === own ? other : own;
      await this.check('on its other instance');
    }
    this.#client = own;
    await other.close();
    const attachments = this.host.attachments.filter((attachment) => attachment.instanceId !== instanceId);
    this.host.attachments.splice(0, this.host.attachments.length, ...attachments);
    await this.host.call('CloseExport', { volumeId: this.volumeId, instanceId });
    await this.check('that is shared no longer');
  }

  /** Reads some of it. */
  async look(): Promise<void> {
    for (const { offset, length } of rangesIn(placesOf(this.sizeGiB), 4, this.random)) {
      const found = await this.#guest.read(offset, length);
      if (!found.equals(this.content.read(offset, length)))
        throw new Error(`${this.volumeId} does not read as written: ${length} bytes at ${offset}`);
    }
  }

  /** Reads all of it. */
  async check(when: string): Promise<void> {
    for (const { offset, length } of placesOf(this.sizeGiB)) {
      this.content.check(offset, await this.#guest.read(offset, length), `${this.volumeId} ${when}`);
    }
  }

  /** `kill -9` of its block host, under writes. */
  async killHost(): Promise<void> {
    const sent = this.send();
    if (this.random.chance(0.5)) await sent[0]?.answered;
    const pid = this.hostPid;
    if (pid !== null) process.kill(pid, 'SIGKILL');
    await this.settle(sent);
    await this.#comeBack('after kill -9');
  }

  async losePower(): Promise<void> {
    const sent = this.send();
    if (this.random.chance(0.7)) for (const { answered } of sent) await answered;
    await this.host.call('SetFaults', { volumeId: this.volumeId, faults: this.#faults, losePower: true });
    await this.settle(sent);
    this.content.losePower();
    await this.#comeBack('after a loss of power');
    // What was read then is what the disk has.
    this.content.flushed();
  }

  /** Of the block host that has the volume open, attached or not. */
  get hostPid(): number | null {
    try {
      const pid = Number.parseInt(readlinkSync(join(this.folder, 'lock')), 10);
      return Number.isNaN(pid) ? null : pid;
    } catch {
      return null;
    }
  }

  get folder(): string {
    return join(this.host.home, 'data-plane', 'volumes', this.volumeId);
  }

  async #comeBack(when: string): Promise<void> {
    await this.disconnect();
    await this.connect();
    await this.check(when);
  }

  #request(kind: string | undefined, offset: number, data: Buffer, fua: boolean): Promise<void> {
    if (kind === 'trim') return this.#guest.trim(offset, data.length, { fua });
    if (kind === 'write') return this.#guest.write(offset, data, { fua });
    return this.#guest.writeZeroes(offset, data.length, { fua, mayTrim: kind === 'zero' });
  }

  get #guest(): NbdClient {
    if (this.#client === null) throw new Error(`${this.volumeId} is not attached`);
    return this.#client;
  }

  /** So that a loss of power has something to lose. Of what was not flushed before, it forgets. */
  async #keepUnsynced(): Promise<void> {
    await this.host.call('SetFaults', { volumeId: this.volumeId, faults: this.#faults });
  }

  get #faults() {
    return { seed: this.random.int(0, 1_000_000), loseUnsyncedWrites: true, storeUnavailable: !this.hasStore };
  }
}
