import type { RequestContext } from '@holdfast/contracts';
import type { NatsConnection } from '@nats-io/nats-core';
import { type ConnectionWatch, isNoResponders, isTimeout } from './connection.ts';
import { ConnectionLost, RequestTimeout, ServiceUnavailable } from './errors.ts';
import type { LocalResponder, ResponderGroup } from './local-responders.ts';
import { PING } from './ping.ts';
import { childSpan } from './trace.ts';
import { type Envelope, readReply, type Reply, replyOf, requestHeaders, requestSubject, writeRequest } from './wire.ts';

/** Messages larger than this are refused before the connection told its own limit; NATS's default. */
const DEFAULT_PAYLOAD_LIMIT_BYTES = 1_048_576;
/** Longest timer that Node takes, in milliseconds. */
const LONGEST_WAIT_MS = 2_147_483_647;

/** Headers count as payload: what a context may take, twice. */
const HEADER_ALLOWANCE_BYTES = 32_768;

const NOT_CONNECTED = 'the bus is not connected';

/** Largest body that the connected server takes, in bytes. */
export const payloadLimitBytes = (connection: NatsConnection): number =>
  (connection.info?.max_payload ?? DEFAULT_PAYLOAD_LIMIT_BYTES) - HEADER_ALLOWANCE_BYTES;

/** What requests are sent by. */
export interface RequestWays {
  readonly connection: NatsConnection;
  readonly watch: ConnectionWatch;
  /** Who answers in this process; absent: nobody is asked but over NATS. */
  readonly group: ResponderGroup | undefined;
}

interface Outgoing {
  readonly service: string;
  readonly subject: string;
  readonly requestId: string;
  readonly remainingMs: number;
  readonly envelope: Envelope;
}

const sendLocally = (responder: LocalResponder, { service, requestId, remainingMs, envelope }: Outgoing) =>
  new Promise<Reply>((resolve, reject) => {
    const late = () => reject(new RequestTimeout(service, envelope.action, requestId));
    const timer = setTimeout(late, remainingMs);
    responder.deliver(envelope, (reply) => {
      clearTimeout(timer);
      resolve(reply);
    });
  });

const sendOverNats = async (
  { connection, watch }: RequestWays,
  { service, subject, requestId, remainingMs, envelope }: Outgoing,
): Promise<Reply> => {
  const { action, body } = envelope;
  const lost = () => new ConnectionLost(service, action, requestId);
  try {
    const options = { timeout: remainingMs, headers: requestHeaders(envelope) };
    return replyOf(await watch.answerOf(connection.request(subject, body, options), lost));
  } catch (error) {
    if (error instanceof ConnectionLost) throw error;
    if (isTimeout(error)) throw new RequestTimeout(service, action, requestId);
    const reason = isNoResponders(error) ? 'nobody serves it' : NOT_CONNECTED;
    throw new ServiceUnavailable(service, action, requestId, reason);
  }
};

/**
 * Sends one request under a new span of the context's trace and waits for its reply until the context's deadline. A
 * responder of this process is asked first, as NATS prefers those that are near; whether a service is there (`Ping`) is
 * always asked over NATS, since that is how others reach it.
 * @throws AwsError, InternalError (as served), RequestTimeout, ServiceUnavailable, ConnectionLost, PayloadTooLarge
 */
export const sendRequest = async (
  ways: RequestWays,
  service: string,
  action: string,
  input: unknown,
  context: RequestContext,
): Promise<unknown> => {
  const { requestId, deadlineMs, traceparent } = context;
  const subject = requestSubject(service, action);
  const remainingMs = Math.min(deadlineMs - Date.now(), LONGEST_WAIT_MS);
  if (!(remainingMs > 0)) throw new RequestTimeout(service, action, requestId);
  const responder = action === PING ? undefined : ways.group?.find(service);
  if (responder === undefined && !ways.watch.isConnected)
    throw new ServiceUnavailable(service, action, requestId, NOT_CONNECTED);
  const hop = { ...context, traceparent: childSpan(traceparent).traceparent };
  const envelope = writeRequest(action, input, hop, payloadLimitBytes(ways.connection));
  const outgoing = { service, subject, requestId, remainingMs, envelope };
  const reply = await (responder === undefined ? sendOverNats(ways, outgoing) : sendLocally(responder, outgoing));
  return readReply(reply, service, action, requestId);
};
