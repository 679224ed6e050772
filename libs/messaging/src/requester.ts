import type { RequestContext } from '@holdfast/contracts';
import type { NatsConnection } from '@nats-io/nats-core';
import { type ConnectionWatch, isNoResponders, isTimeout } from './connection.ts';
import { ConnectionLost, RequestTimeout, ServiceUnavailable } from './errors.ts';
import { childSpan } from './trace.ts';
import { encodeContext, encodeJson, readReply, requestSubject } from './wire.ts';

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

/**
 * Sends one request under a new span of the context's trace and waits for its reply until the context's deadline.
 * @throws AwsError, InternalError (as served), RequestTimeout, ServiceUnavailable, ConnectionLost, PayloadTooLarge
 */
export const sendRequest = async (
  connection: NatsConnection,
  watch: ConnectionWatch,
  service: string,
  action: string,
  input: unknown,
  context: RequestContext,
): Promise<unknown> => {
  const remainingMs = Math.min(context.deadlineMs - Date.now(), LONGEST_WAIT_MS);
  if (!(remainingMs > 0)) throw new RequestTimeout(service, action, context.requestId);
  if (!watch.isConnected) throw new ServiceUnavailable(service, action, context.requestId, NOT_CONNECTED);
  const subject = requestSubject(service, action);
  const hop = { ...context, traceparent: childSpan(context.traceparent).traceparent };
  const payload = encodeJson(input, payloadLimitBytes(connection));
  let reply;
  try {
    const answer = connection.request(subject, payload, { timeout: remainingMs, headers: encodeContext(hop) });
    reply = await watch.answerOf(answer, () => new ConnectionLost(service, action, context.requestId));
  } catch (error) {
    if (error instanceof ConnectionLost) throw error;
    if (isTimeout(error)) throw new RequestTimeout(service, action, context.requestId);
    const reason = isNoResponders(error) ? 'nobody serves it' : NOT_CONNECTED;
    throw new ServiceUnavailable(service, action, context.requestId, reason);
  }
  return readReply(reply, service, action, context.requestId);
};
