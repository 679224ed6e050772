import type { InstanceId, VolumeId } from '@holdfast/contracts';
import type { ClientToken, CommandHandler, SubscribableStore } from '@holdfast/event-store';
import type { Cause, VolumeStreams } from '../../application/ports.ts';
import { refusal } from '../../application/refusals.ts';
import type { VolumeCommand } from '../../domain/volume.commands.ts';
import type { VolumeState } from '../../domain/volume-state.ts';
import type { AttachmentFailed, VolumeEvent } from '../../domain/volume.events.ts';
import { DEVICE_KEY } from './volume-details.migration.ts';

export const streamOf = (volumeId: string) => `volume-${volumeId}`;

/** Longest wait between two looks at a stream, in milliseconds: signs of an append may get lost. */
const LOOK_AGAIN_MS = 500;

export class EventSourcedVolumes implements VolumeStreams {
  constructor(
    private readonly store: SubscribableStore,
    private readonly handler: CommandHandler<VolumeCommand, VolumeEvent, VolumeState>,
  ) {}

  async handle(
    command: VolumeCommand,
    { caller, causationId }: Cause,
    clientToken?: ClientToken,
  ): Promise<number | null> {
    const options = { metadata: { caller, causationId }, time: command.at, clientToken };
    try {
      const events = await this.handler.handle(command.volumeId, command, options);
      return events.at(-1)?.version ?? null;
    } catch (error) {
      // One device name of an instance is one row, whichever volumes compete for it.
      const { constraint } = error as { constraint?: string };
      if (command.type === 'AttachVolume' && constraint === DEVICE_KEY)
        throw refusal('DeviceInUse', { device: command.device });
      throw error;
    }
  }

  async load(volumeId: VolumeId): Promise<VolumeState> {
    return (await this.handler.load(volumeId)).state;
  }

  findClientToken(scope: string, token: string): Promise<ClientToken | null> {
    return this.store.findClientToken(scope, token);
  }

  async attachmentOutcome(
    { volumeId, instanceId }: { volumeId: VolumeId; instanceId: InstanceId },
    version: number,
    deadlineMs: number,
  ): Promise<'attached' | AttachmentFailed['reason'] | null> {
    for (;;) {
      const sign = this.store.waitForAppend(Math.max(1, Math.min(LOOK_AGAIN_MS, deadlineMs - Date.now())));
      for (const { data } of await this.store.readStream<VolumeEvent>(streamOf(volumeId), version + 1)) {
        if (!('instanceId' in data) || data.instanceId !== instanceId) continue;
        if (data.type === 'AttachmentFailed') return data.reason;
        if (data.type === 'AttachmentCompleted') return 'attached';
        if (data.type === 'DetachmentStarted') return 'InstanceNotRunning';
      }
      if (Date.now() >= deadlineMs) return null;
      await sign;
    }
  }
}
