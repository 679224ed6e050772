import type { SnapshotId } from '@holdfast/contracts';
import type { CommandHandler, EventStore } from '@holdfast/event-store';
import type { Cause, SnapshotStreams } from '../../application/ports.ts';
import type { SnapshotCommand } from '../../domain/snapshot.commands.ts';
import { snapshotDecider, type SnapshotState } from '../../domain/snapshot.decider.ts';
import type { SnapshotEvent } from '../../domain/snapshot.events.ts';

type Start = Extract<SnapshotCommand, { type: 'CreateSnapshot' }>;

export const streamOf = (snapshotId: string) => `snapshot-${snapshotId}`;

export class EventSourcedSnapshots implements SnapshotStreams {
  constructor(
    private readonly handler: CommandHandler<SnapshotCommand, SnapshotEvent, SnapshotState>,
    private readonly store: EventStore,
  ) {}

  async handle(command: SnapshotCommand, { caller, causationId }: Cause): Promise<void> {
    await this.handler.handle(command.snapshotId, command, { metadata: { caller, causationId }, time: command.at });
  }

  async decide(command: SnapshotCommand, { caller, causationId }: Cause): Promise<readonly SnapshotEvent[]> {
    const options = { metadata: { caller, causationId }, time: command.at };
    return (await this.handler.handle(command.snapshotId, command, options)).map(({ data }) => data);
  }

  async startAll(commands: readonly Start[], { caller, causationId }: Cause): Promise<void> {
    await this.store.appendMany(
      commands.map((command) => ({
        streamId: streamOf(command.snapshotId),
        expectedVersion: 0,
        events: snapshotDecider.decide(command, snapshotDecider.initialState),
        options: { metadata: { caller, causationId }, time: command.at },
      })),
    );
  }

  async load(snapshotId: SnapshotId): Promise<SnapshotState> {
    return (await this.handler.load(snapshotId)).state;
  }
}
