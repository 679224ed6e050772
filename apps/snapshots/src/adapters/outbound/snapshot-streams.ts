import type { SnapshotId } from '@holdfast/contracts';
import type { CommandHandler } from '@holdfast/event-store';
import type { Cause, SnapshotStreams } from '../../application/ports.ts';
import type { SnapshotCommand } from '../../domain/snapshot.commands.ts';
import type { SnapshotState } from '../../domain/snapshot.decider.ts';
import type { SnapshotEvent } from '../../domain/snapshot.events.ts';

export const streamOf = (snapshotId: string) => `snapshot-${snapshotId}`;

export class EventSourcedSnapshots implements SnapshotStreams {
  constructor(private readonly handler: CommandHandler<SnapshotCommand, SnapshotEvent, SnapshotState>) {}

  async handle(command: SnapshotCommand, { caller, causationId }: Cause): Promise<void> {
    await this.handler.handle(command.snapshotId, command, { metadata: { caller, causationId }, time: command.at });
  }

  async load(snapshotId: SnapshotId): Promise<SnapshotState> {
    return (await this.handler.load(snapshotId)).state;
  }
}
