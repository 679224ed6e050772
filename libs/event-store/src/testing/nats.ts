import { AckPolicy, DeliverPolicy, jetstream, type JetStreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import type { StoredEvent } from '../types.ts';

export interface NatsAccess {
  readonly servers: string;
  readonly user: string;
  readonly pass: string;
}

export const connectForEver = (access: NatsAccess): Promise<NatsConnection> =>
  connect({ ...access, maxReconnectAttempts: -1, reconnectTimeWait: 50 });

export type Published = StoredEvent & { service: string; subject: string; sequence: number; messageId: string };

/** Everything the stream holds now, in its order. */
export const readStreamOf = async (service: string, nats: NatsConnection): Promise<Published[]> => {
  const manager: JetStreamManager = await jetstream(nats).jetstreamManager(false);
  const { state } = await manager.streams.info(`EVENTS-${service}`);
  if (state.messages === 0) return [];
  const { name } = await manager.consumers.add(`EVENTS-${service}`, {
    ack_policy: AckPolicy.None,
    deliver_policy: DeliverPolicy.All,
    inactive_threshold: 10_000_000_000,
  });
  const consumer = await jetstream(nats).consumers.get(`EVENTS-${service}`, name);
  const published: Published[] = [];
  while (published.length < state.messages) {
    for await (const message of await consumer.fetch({
      max_messages: state.messages - published.length,
      expires: 2000,
    })) {
      const { subject, seq, headers } = message;
      published.push({
        ...message.json<Published>(),
        subject,
        sequence: seq,
        messageId: headers?.get('Nats-Msg-Id') ?? '',
      });
    }
  }
  await consumer.delete();
  return published;
};
