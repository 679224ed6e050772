import type { Caller, ImageId, SnapshotId, SnapshotRecord } from '@holdfast/contracts';
import { isRefusal } from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import type { ImageCopyStarted, ImageCreationStarted } from '../domain/image.events.ts';
import type { ImageStreams } from './image-ports.ts';
import { type Later, onBehalfOf, textOf } from './on-behalf-of.ts';

/** How soon to look again whether an image's snapshots are there, in milliseconds: often at first. */
const SOON_MS = 100;
const LATER_MS = 1000;
const SOON_FOR_MS = 10_000;

/** What DescribeImages tells of an image that failed. @see DescribeImages, StateReason */
const FAILED = 'Server.InternalError: An internal error has occurred. Please try again later.';
const SNAPSHOT_FAILED = (snapshotId: string) =>
  `Client.InternalError: The snapshot ${snapshotId} of the image could not be made`;

/** From `pending` to `available` or `failed`: the snapshots of an image, as the one who asked for it. */
export class MakeImage {
  constructor(
    private readonly images: ImageStreams,
    private readonly requests: Requests,
    private readonly clock: Clock,
  ) {}

  /** Reacts to ImageCreationStarted and ImageCopyStarted. */
  async run(imageId: ImageId, caller: Caller): Promise<Later> {
    const { started, status } = await this.images.load(imageId);
    if (status !== 'pending' || started === null || !('snapshots' in started)) return undefined;
    const found = await this.found(started, caller);
    if (found.includes(null)) {
      try {
        await this.begin(started, caller);
      } catch (error) {
        if (!isRefusal(error)) throw error;
        return await this.fail(imageId, FAILED, textOf(error), caller);
      }
    }
    for (const [i, { snapshotId }] of started.snapshots.entries()) {
      const snapshot = found[i] ?? (await this.snapshot(snapshotId, caller));
      if (snapshot === null || snapshot.state === 'error') {
        const cause = snapshot === null ? 'was deleted' : 'ended in error';
        return await this.fail(imageId, SNAPSHOT_FAILED(snapshotId), `${snapshotId} ${cause}`, caller);
      }
      if (snapshot.state === 'pending') {
        const ageMs = this.clock.now().getTime() - Date.parse(started.at);
        return { retryAfterMs: ageMs < SOON_FOR_MS ? SOON_MS : LATER_MS };
      }
    }
    await this.images.handle({ type: 'CompleteImage', imageId, at: this.clock.instant() }, caller);
    return undefined;
  }

  private found({ snapshots }: ImageCreationStarted | ImageCopyStarted, caller: Caller) {
    return Promise.all(snapshots.map(({ snapshotId }) => this.snapshot(snapshotId, caller)));
  }

  private snapshot(snapshotId: SnapshotId, caller: Caller): Promise<SnapshotRecord | null> {
    return this.requests.call('snapshots', 'GetSnapshot', { snapshotId }, onBehalfOf(caller));
  }

  /** Has every snapshot begun; those that are there already stay as they are. @throws AwsError when one is refused. */
  async begin(started: ImageCreationStarted | ImageCopyStarted, caller: Caller): Promise<void> {
    const { imageId, snapshotTags } = started;
    const tags = { ...snapshotTags };
    if (started.type === 'ImageCreationStarted') {
      const description = `Created by CreateImage(${started.instanceId}) for ${imageId}`;
      const input = { snapshots: [...started.snapshots], description, tags };
      await this.requests.call('snapshots', 'CreateImageSnapshots', input, onBehalfOf(caller));
      return;
    }
    const { source } = started;
    for (const { snapshotId, sourceSnapshotId, keyArn } of started.snapshots) {
      const description = `Copied for DestinationAmi ${imageId} from SourceAmi ${source.imageId} for SourceSnapshot ${sourceSnapshotId}.`;
      const input = { snapshotId, sourceSnapshotId, sourceRegion: source.region, keyArn, description, tags };
      await this.requests.call('snapshots', 'CopyImageSnapshot', input, onBehalfOf(caller));
    }
  }

  /** Reacts to ImageFailed: what was made for it goes. */
  async discard(imageId: ImageId, caller: Caller): Promise<void> {
    const { started, status } = await this.images.load(imageId);
    if (started === null || !('snapshots' in started)) return;
    if (status !== 'failed' && status !== 'deregistered') return;
    for (const { snapshotId } of started.snapshots) await this.delete(snapshotId, caller);
  }

  private async delete(snapshotId: SnapshotId, caller: Caller): Promise<void> {
    try {
      await this.requests.request('snapshots', 'DeleteSnapshot', { SnapshotId: snapshotId }, onBehalfOf(caller));
    } catch (error) {
      if (!isRefusal(error)) throw error; // It never came to be, its owner deleted it, or has made something of it.
    }
  }

  private async fail(imageId: ImageId, message: string, cause: string, caller: Caller): Promise<undefined> {
    await this.images.handle({ type: 'FailImage', imageId, message, cause, at: this.clock.instant() }, caller);
  }
}
