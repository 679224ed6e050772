import type { Caller, InstanceId } from '@holdfast/contracts';
import type { ClientToken, CommandHandler, EventStore } from '@holdfast/event-store';
import type { InstanceStreams, ReservationStreams } from '../../application/ports.ts';
import type { InstanceCommand, InstanceState } from '../../domain/instance.decider.ts';
import type { InstanceEvent } from '../../domain/instance.events.ts';
import type { InstancesReserved } from '../../domain/reservation.events.ts';

export class EventSourcedInstances implements InstanceStreams {
  constructor(private readonly handler: CommandHandler<InstanceCommand, InstanceEvent, InstanceState>) {}

  async handle(command: InstanceCommand, caller: Caller): Promise<void> {
    await this.handler.handle(command.instanceId, command, { metadata: { caller }, time: command.at });
  }

  async load(instanceId: InstanceId): Promise<InstanceState> {
    return (await this.handler.load(instanceId)).state;
  }
}

const reservationStream = (reservationId: string) => `reservation-${reservationId}`;

export class EventSourcedReservations implements ReservationStreams {
  constructor(private readonly store: EventStore) {}

  async append(reservation: InstancesReserved, caller: Caller, clientToken?: ClientToken): Promise<void> {
    const options = { metadata: { caller }, time: reservation.at, clientToken };
    await this.store.append(reservationStream(reservation.reservationId), 0, [reservation], options);
  }

  async read(reservationId: string): Promise<InstancesReserved | null> {
    const [event] = await this.store.readStream<InstancesReserved>(reservationStream(reservationId));
    return event?.data ?? null;
  }

  findClientToken(scope: string, token: string): Promise<ClientToken | null> {
    return this.store.findClientToken(scope, token);
  }
}
