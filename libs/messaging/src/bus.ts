import type { InternalRequests, RequestContext } from '@holdfast/contracts';
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import { connect } from '@nats-io/transport-node';
import type { Registry } from 'prom-client';
import { ConnectionWatch, whileConnected } from './connection.ts';
import { EventConsumer } from './event-consumer.ts';
import type { LocalResponders, ResponderGroup } from './local-responders.ts';
import { type BusLogger, silentLogger } from './logger.ts';
import { type BusMetrics, busMetrics } from './metrics.ts';
import { ParkedEvents } from './parked.ts';
import { PING } from './ping.ts';
import { RequestServer, type ServeOptions } from './request-server.ts';
import { type RequestWays, sendRequest } from './requester.ts';
import { requestSubject } from './wire.ts';
import type { ConsumerOptions, RequestHandlers, Requests, ServiceName } from './types.ts';

export interface BusOptions {
  /** `servers` without credentials: the transport refuses a URL that has them. Several are separated by commas. */
  readonly nats: { readonly servers: string; readonly user?: string; readonly password?: string };
  /** Shown by the server's monitoring: the service's name. */
  readonly name: string;
  readonly metrics?: Registry;
  readonly logger?: BusLogger;
  /** Of the process, when several services run in it: those are asked without going by the server. */
  readonly local?: LocalResponders;
}

/** Milliseconds between two tries to reach a lost server. */
const RECONNECT_WAIT_MS = 250;
/** How long the first connection may take, in milliseconds. */
const CONNECT_TIMEOUT_MS = 10_000;

/** One connection to NATS and everything a service does over it. */
export class Bus implements Requests {
  private readonly servers: RequestServer[] = [];
  private readonly consumers: EventConsumer[] = [];
  private jsm: JetStreamManager | undefined;
  private closing: Promise<void> | undefined;
  private readonly ways: RequestWays;
  readonly parked: ParkedEvents;

  constructor(
    /** For what the bus has no words for: development broadcasts and the relay. */
    readonly connection: NatsConnection,
    private readonly logger: BusLogger,
    private readonly metrics: BusMetrics | undefined,
    group?: ResponderGroup,
  ) {
    this.ways = { connection, watch: new ConnectionWatch(connection, logger), group };
    this.parked = new ParkedEvents(connection, this.manager);
  }

  /** Without a check of the account: JetStream may be away for now. */
  private readonly manager = async (): Promise<JetStreamManager> =>
    (this.jsm ??= await jetstreamManager(this.connection, { checkAPI: false }));

  async request<Output>(service: string, action: string, input: unknown, context: RequestContext): Promise<Output> {
    return (await sendRequest(this.ways, service, action, input, context)) as Output;
  }

  call<Service extends keyof InternalRequests, Action extends keyof InternalRequests[Service] & string>(
    service: Service,
    action: Action,
    input: InternalRequests[Service][Action] extends { in: infer In } ? In : never,
    context: RequestContext,
  ): Promise<InternalRequests[Service][Action] extends { out: infer Out } ? Out : never> {
    return this.request(service, action, input, context);
  }

  /** Starts answering `<service>.request.*.v1`; resolves once the server routes requests here. */
  async serveRequests(service: ServiceName, handlers: RequestHandlers, options?: ServeOptions): Promise<RequestServer> {
    const { connection, group } = this.ways;
    const server = new RequestServer(connection, service, handlers, this.logger, this.metrics, group, options);
    this.servers.push(server);
    await this.connection.flush();
    return server;
  }

  /** Whether any replica of the service takes requests. */
  async isServing(service: ServiceName, timeoutMs = 1000): Promise<boolean> {
    return this.connection.request(requestSubject(service, PING), '', { timeout: timeoutMs }).then(
      () => true,
      () => false,
    );
  }

  /** Starts handling another service's events, from the first one that this consumer has not acknowledged. */
  consume(options: ConsumerOptions): EventConsumer {
    const consumer = new EventConsumer(this.connection, this.manager, options, this.logger, this.metrics);
    this.consumers.push(consumer);
    return consumer;
  }

  /** Takes no more work, finishes what is in flight, and closes the connection. */
  close(): Promise<void> {
    this.closing ??= this.drain();
    return this.closing;
  }

  private async drain(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.close()));
    await Promise.all(this.consumers.map((consumer) => consumer.close()));
    if (!this.connection.isClosed()) await whileConnected(this.connection.drain());
    if (!this.connection.isClosed()) await this.connection.close();
  }
}

/** @throws when no server answers within ten seconds, or it refuses the credentials. */
export const connectBus = async ({ nats, name, metrics, logger = silentLogger, local }: BusOptions): Promise<Bus> => {
  const connection = await connect({
    servers: nats.servers.split(',').map((server) => server.trim()),
    ...(nats.user === undefined ? {} : { user: nats.user, pass: nats.password }),
    name,
    timeout: CONNECT_TIMEOUT_MS,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_WAIT_MS,
    // Credentials may be wrong for a moment while the server is set up again.
    ignoreAuthErrorAbort: true,
    noAsyncTraces: true,
  });
  return new Bus(connection, logger, metrics === undefined ? undefined : busMetrics(metrics), local?.of(nats));
};
