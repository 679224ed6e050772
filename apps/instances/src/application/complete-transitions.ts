import type { Caller, InstanceId, VolumeId } from '@holdfast/contracts';
import { isRefusal, tagList } from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import type { BlockDevice } from '../domain/block-devices.ts';
import type { InstanceState } from '../domain/instance.decider.ts';
import { type Later, onBehalfOf, textOf } from './on-behalf-of.ts';
import type { InstanceStreams } from './ports.ts';
import { volumeRequest } from './run-block-devices.ts';

/** How soon to look again whether a launch's volumes are there, in milliseconds. */
const LOOK_AGAIN_MS = 100;
/**
 * Nothing boots and nothing shuts down: what a transition takes is its volumes, made, opened, closed and released as the one
 * who asked for it. Each step is noted or can be taken again.
 */
export class CompleteTransitions {
  constructor(
    private readonly instances: InstanceStreams,
    private readonly requests: Requests,
    private readonly clock: Clock,
  ) {}

  /** Reacts to InstanceLaunched. */
  async launch(instanceId: InstanceId, caller: Caller): Promise<Later> {
    const state = await this.instances.load(instanceId);
    if (state.status !== 'pending' || state.hasRun) return undefined;
    try {
      for (const device of state.blockDevices)
        if (!(device.deviceName in state.launchVolumes)) await this.createVolume(instanceId, device, state, caller);
      const { launchVolumes } = await this.instances.load(instanceId);
      for (const volumeId of Object.values(launchVolumes)) {
        const creation = await this.requests.call('volumes', 'GetCreation', { volumeId }, onBehalfOf(caller));
        if (creation.state === 'creating') return { retryAfterMs: LOOK_AGAIN_MS };
        if (creation.state === 'gone') return await this.failStart(instanceId, creation.cause ?? 'deleted', caller);
      }
      for (const device of state.blockDevices) {
        const volumeId = launchVolumes[device.deviceName];
        const failure = volumeId && (await this.attach(instanceId, volumeId, device, state, caller));
        if (typeof failure === 'string') return await this.failStart(instanceId, failure, caller);
      }
    } catch (error) {
      if (!isRefusal(error)) throw error;
      return await this.failStart(instanceId, textOf(error), caller);
    }
    await this.instances.handle({ type: 'CompleteStart', instanceId, at: this.clock.instant() }, caller);
    return undefined;
  }

  /** Reacts to InstanceStartRequested. A start never ends an instance: what can't be opened leaves it stopped. */
  async start(instanceId: InstanceId, caller: Caller): Promise<void> {
    if ((await this.instances.load(instanceId)).status !== 'pending') return;
    const { failure } = await this.requests.call('volumes', 'ResumeAttachments', { instanceId }, onBehalfOf(caller));
    if (failure === null) {
      await this.instances.handle({ type: 'CompleteStart', instanceId, at: this.clock.instant() }, caller);
      return;
    }
    await this.requests.call('volumes', 'SuspendAttachments', { instanceId }, onBehalfOf(caller));
    await this.failStart(instanceId, failure, caller);
  }

  /** Reacts to InstanceStopStarted. */
  async stop(instanceId: InstanceId, caller: Caller): Promise<void> {
    if ((await this.instances.load(instanceId)).status !== 'stopping') return;
    await this.requests.call('volumes', 'SuspendAttachments', { instanceId }, onBehalfOf(caller));
    await this.instances.handle({ type: 'CompleteStop', instanceId, at: this.clock.instant() }, caller);
  }

  /** Reacts to InstanceTerminationStarted and InstanceLaunchFailed: of a launch that failed nothing stays. */
  async termination(instanceId: InstanceId, caller: Caller): Promise<Later> {
    const state = await this.instances.load(instanceId);
    if (state.status !== 'shutting-down') return undefined;
    if (!state.hasRun)
      for (const [device, volumeId] of Object.entries(state.launchVolumes))
        if (!(await this.discard(instanceId, device, volumeId, caller))) return { retryAfterMs: LOOK_AGAIN_MS };
    await this.instances.handle({ type: 'CompleteTermination', instanceId, at: this.clock.instant() }, caller);
    return undefined;
  }

  private async createVolume(
    instanceId: InstanceId,
    device: BlockDevice,
    { availabilityZone, volumeTags, imageId }: InstanceState,
    caller: Caller,
  ): Promise<void> {
    const { deviceName } = device;
    const tags = tagList(volumeTags);
    const input = {
      ...volumeRequest(device, availabilityZone),
      TagSpecifications: tags.length === 0 ? undefined : [{ ResourceType: 'volume', Tags: tags }],
      // The same volume, however often it is asked for.
      ClientToken: `launch-${instanceId}${deviceName}`,
    };
    const request = { input, throughImage: imageId };
    const { volumeId } = await this.requests.call('volumes', 'CreateLaunchVolume', request, onBehalfOf(caller));
    const at = this.clock.instant();
    await this.instances.handle({ type: 'RecordLaunchVolume', instanceId, deviceName, volumeId, at }, caller);
  }

  /** @returns why the device could not be opened; null when it is open. */
  private async attach(
    instanceId: InstanceId,
    volumeId: VolumeId,
    { deviceName: device, deleteOnTermination }: BlockDevice,
    { hostId, rootDeviceName }: InstanceState,
    caller: Caller,
  ): Promise<string | null> {
    const isRoot = device === rootDeviceName;
    const input = { volumeId, instanceId, hostId, device, deleteOnTermination, isRoot };
    return (await this.requests.call('volumes', 'AttachAtLaunch', input, onBehalfOf(caller))).failure;
  }

  /** @returns false while the volume can't be deleted yet. One that is attached is deleted when the instance has ended. */
  private async discard(instanceId: InstanceId, device: string, volumeId: VolumeId, caller: Caller): Promise<boolean> {
    const context = onBehalfOf(caller);
    await this.requests.call('volumes', 'WaiveRetention', { volumeId }, context);
    const { state } = await this.requests.call('volumes', 'GetCreation', { volumeId }, context);
    if (state === 'creating') return false;
    if (state === 'gone') return true;
    const { attachments } = await this.requests.call(
      'volumes',
      'ListAttachments',
      { instanceIds: [instanceId] },
      context,
    );
    const attachment = attachments.find((known) => known.volumeId === volumeId);
    if (attachment !== undefined) {
      if (attachment.state === 'attaching') return false;
      const devices = [{ device, deleteOnTermination: true }];
      await this.requests.call('volumes', 'SetDeleteOnTermination', { instanceId, devices }, context);
      return true;
    }
    try {
      await this.requests.request('volumes', 'DeleteVolume', { VolumeId: volumeId }, context);
    } catch (error) {
      if (!isRefusal(error)) throw error; // Its owner deleted it, or has taken it.
    }
    return true;
  }

  private async failStart(instanceId: InstanceId, cause: string, caller: Caller): Promise<undefined> {
    await this.instances.handle({ type: 'FailStart', instanceId, cause, at: this.clock.instant() }, caller);
  }
}
