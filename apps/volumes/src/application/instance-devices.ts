import {
  callerOf,
  type InstanceId,
  type InternalRequests,
  type RequestContext,
  type VolumeId,
} from '@holdfast/contracts';
import { RequestTimeout } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import { attachmentOf, type VolumeState } from '../domain/volume-state.ts';
import type { FinishAttachment } from './finish-attachment.ts';
import { ownVolume } from './own-volume.ts';
import type { VolumeStreams, VolumeTable } from './ports.ts';
import { refusal } from './refusals.ts';

type Internal = InternalRequests['volumes'];
type Ask<Action extends keyof Internal> = Internal[Action] extends { in: infer In } ? In : never;
type Answer<Action extends keyof Internal> = Promise<Internal[Action] extends { out: infer Out } ? Out : never>;

/** Between two looks at an attachment under way, in milliseconds. */
const LOOK_AGAIN_MS = 50;
/** Left of the request's time for the answer to travel, in milliseconds. */
const ANSWER_MS = 250;

/** What the instances service asks about the devices of its instances, with the permissions of who asked it. */
export class InstanceDevices {
  constructor(
    private readonly volumes: VolumeStreams,
    private readonly table: VolumeTable,
    private readonly attachment: FinishAttachment,
    private readonly clock: Clock,
  ) {}

  async creation({ volumeId }: Ask<'GetCreation'>): Answer<'GetCreation'> {
    const { status, creationFailure: cause } = await this.volumes.load(volumeId);
    if (status === 'creating') return { state: 'creating', cause: null };
    return { state: status === 'available' || status === 'in-use' ? 'ready' : 'gone', cause };
  }

  async waiveRetention({ volumeId }: Ask<'WaiveRetention'>, context: RequestContext): Answer<'WaiveRetention'> {
    const command = { type: 'WaiveRetention', volumeId, at: this.clock.instant() } as const;
    await this.volumes.handle(command, { caller: callerOf(context) });
    return {};
  }

  async attachAtLaunch(input: Ask<'AttachAtLaunch'>, context: RequestContext): Answer<'AttachAtLaunch'> {
    const { volumeId, instanceId } = input;
    if (attachmentOf(await ownVolume(this.volumes, volumeId, context), instanceId) === undefined) {
      const command = { type: 'AttachVolume', ...input, at: this.clock.instant() } as const;
      await this.volumes.handle(command, { caller: callerOf(context) });
    }
    const ended = await this.attachingEnded(volumeId, instanceId, context);
    return { failure: attachmentOf(ended, instanceId) === undefined ? (ended.attachmentFailure ?? 'detached') : null };
  }

  async suspend({ instanceId }: Ask<'SuspendAttachments'>, context: RequestContext): Answer<'SuspendAttachments'> {
    const cause = { caller: callerOf(context) };
    for (const volumeId of await this.table.volumesOf(instanceId)) {
      // What began while the instance ran may still open its device.
      await this.attachingEnded(volumeId, instanceId, context);
      await this.attachment.suspend(volumeId, instanceId, cause);
    }
    return {};
  }

  /** @returns the volume's state once it is not being attached to the instance. @throws RequestTimeout */
  private async attachingEnded(
    volumeId: VolumeId,
    instanceId: InstanceId,
    { deadlineMs, requestId }: RequestContext,
  ): Promise<VolumeState> {
    for (;;) {
      const state = await this.volumes.load(volumeId);
      if (attachmentOf(state, instanceId)?.status !== 'attaching') return state;
      if (Date.now() > deadlineMs - ANSWER_MS) throw new RequestTimeout('volumes', 'AttachVolume', requestId);
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
    }
  }

  async resume({ instanceId }: Ask<'ResumeAttachments'>, context: RequestContext): Answer<'ResumeAttachments'> {
    const cause = { caller: callerOf(context) };
    for (const volumeId of await this.table.volumesOf(instanceId)) {
      const failure = await this.attachment.resume(volumeId, instanceId, cause);
      if (failure !== null) return { failure };
    }
    return { failure: null };
  }

  async setDeleteOnTermination(
    { instanceId, devices }: Ask<'SetDeleteOnTermination'>,
    context: RequestContext,
  ): Answer<'SetDeleteOnTermination'> {
    const attachments = await this.table.attachments([instanceId], context);
    const changes = devices.map(({ device, deleteOnTermination }) => {
      const found = attachments.find((attachment) => attachment.device === device);
      if (found === undefined) throw refusal('DeviceAbsent', { device });
      return { volumeId: found.volumeId, deleteOnTermination };
    });
    for (const change of changes) {
      const command = { type: 'ChangeDeleteOnTermination', ...change, instanceId, at: this.clock.instant() } as const;
      await this.volumes.handle(command, { caller: callerOf(context) });
    }
    return {};
  }
}
