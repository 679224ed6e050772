import type { Caller, ImageId, InstanceId } from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';
import type { ClientToken, CommandHandler, EventStore } from '@holdfast/event-store';
import type { ImageStreams } from '../../application/image-ports.ts';
import type { KeyPairStreams } from '../../application/key-pair-ports.ts';
import type { InstanceStreams, ReservationStreams } from '../../application/ports.ts';
import type { ImageCommand, ImageState } from '../../domain/image.decider.ts';
import type { ImageEvent } from '../../domain/image.events.ts';
import type { InstanceCommand, InstanceState } from '../../domain/instance.decider.ts';
import type { InstanceEvent } from '../../domain/instance.events.ts';
import type { KeyPairCommand, KeyPairState } from '../../domain/key-pair.decider.ts';
import type { KeyPairEvent } from '../../domain/key-pair.events.ts';
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

/** What Postgres says when another one of the account took the name in the same moment. */
const isNameTaken = (error: unknown, index: 'images_name' | 'key_pairs_name'): boolean =>
  typeof error === 'object' && error !== null && 'constraint' in error && error.constraint === index;

export class EventSourcedImages implements ImageStreams {
  constructor(
    private readonly handler: CommandHandler<ImageCommand, ImageEvent, ImageState>,
    private readonly store: EventStore,
  ) {}

  async handle(command: ImageCommand, caller: Caller, clientToken?: ClientToken): Promise<void> {
    const options = { metadata: { caller }, time: command.at, clientToken };
    await this.handler.handle(command.imageId, command, options).catch((error: unknown) => {
      throw isNameTaken(error, 'images_name') ? new DomainError('ImageNameTaken', { imageId: command.imageId }) : error;
    });
  }

  async load(imageId: ImageId): Promise<ImageState> {
    return (await this.handler.load(imageId)).state;
  }

  findClientToken(scope: string, token: string): Promise<ClientToken | null> {
    return this.store.findClientToken(scope, token);
  }
}

export class EventSourcedKeyPairs implements KeyPairStreams {
  constructor(private readonly handler: CommandHandler<KeyPairCommand, KeyPairEvent, KeyPairState>) {}

  async handle(command: KeyPairCommand, caller: Caller): Promise<void> {
    const { keyPairId, at } = command;
    await this.handler.handle(keyPairId, command, { metadata: { caller }, time: at }).catch((error: unknown) => {
      throw isNameTaken(error, 'key_pairs_name') ? new DomainError('KeyPairNameTaken', { keyPairId }) : error;
    });
  }
}
