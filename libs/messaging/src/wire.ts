/**
 * The one definition of how requests and replies are written. Request: subject `<service>.request.<Action>.v1`, body JSON,
 * context as one JSON header. Reply: body JSON, its kind in a header. A responder of the same process gets the same texts:
 * neither side ever sees an object of the other's.
 */
import { AwsError, type RequestContext, requestContextSchema } from '@holdfast/contracts';
import { headers, type Msg, type MsgHdrs } from '@nats-io/nats-core';
import { z } from 'zod';
import { InternalError, PayloadTooLarge, RequestTimeout, ServiceUnavailable } from './errors.ts';

export const CONTEXT_HEADER = 'Holdfast-Context';
export const TRACEPARENT_HEADER = 'traceparent';
const REPLY_HEADER = 'Holdfast-Reply';

/** A context is a few hundred bytes; a user agent or a principal of kilobytes is not one of ours. */
const CONTEXT_LIMIT_BYTES = 16_384;
const TOKEN = /^[A-Za-z0-9-]+$/;

const token = (text: string): string => {
  if (!TOKEN.test(text)) throw new TypeError(`not a subject token: ${JSON.stringify(text)}`);
  return text;
};

export const requestSubject = (service: string, action: string): string =>
  `${token(service)}.request.${token(action)}.v1`;
export const requestSubjects = (service: string): string => `${token(service)}.request.*.v1`;
/** The `<Action>` of a subject that `requestSubjects` matched. */
export const actionOf = (subject: string): string => subject.split('.')[2] ?? '';

/** A request, written. */
export interface Envelope {
  readonly action: string;
  /** JSON; empty when the sender gave none. */
  readonly context: string;
  readonly traceparent: string | undefined;
  /** JSON. */
  readonly body: string;
  /** Of the body in UTF-8. */
  readonly sizeBytes: number;
}

/** An answer, written. */
export interface Reply {
  /** `ok`, or how it was refused. */
  readonly kind: string;
  /** JSON. */
  readonly body: string;
}

/** @throws PayloadTooLarge */
const requireFits = (sizeBytes: number, limitBytes: number): number => {
  if (sizeBytes > limitBytes) throw new PayloadTooLarge(sizeBytes, limitBytes);
  return sizeBytes;
};

/** @throws PayloadTooLarge */
export const writeRequest = (
  action: string,
  input: unknown,
  context: RequestContext,
  bodyLimitBytes: number,
): Envelope => {
  const body = JSON.stringify(input) ?? 'null';
  const sizeBytes = requireFits(Buffer.byteLength(body), bodyLimitBytes);
  const text = JSON.stringify(context);
  requireFits(Buffer.byteLength(text), CONTEXT_LIMIT_BYTES);
  return { action, context: text, traceparent: context.traceparent, body, sizeBytes };
};

/** The headers with which a request goes over NATS. */
export const requestHeaders = ({ context, traceparent }: Envelope): MsgHdrs => {
  const fields = headers();
  fields.set(CONTEXT_HEADER, context);
  if (traceparent !== undefined) fields.set(TRACEPARENT_HEADER, traceparent);
  return fields;
};

/** A request as it came over NATS. */
export const envelopeOf = (message: Msg): Envelope => ({
  action: actionOf(message.subject),
  context: message.headers?.get(CONTEXT_HEADER) ?? '',
  traceparent: message.headers?.get(TRACEPARENT_HEADER),
  body: message.string(),
  sizeBytes: message.data.length,
});

/** @throws when the context is absent, no JSON, or none. */
export const readContext = ({ context: text, traceparent }: Envelope): RequestContext => {
  if (text === '' || Buffer.byteLength(text) > CONTEXT_LIMIT_BYTES) throw new TypeError('no request context');
  const context = requestContextSchema.parse(JSON.parse(text));
  return traceparent ? { ...context, traceparent } : context;
};

const replySchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('aws-error'),
    code: z.string(),
    message: z.string().optional(),
    status: z.number().int().optional(),
    members: z.record(z.string(), z.unknown()).optional(),
  }),
  z.object({ kind: z.literal('timeout') }),
  z.object({ kind: z.literal('unavailable'), reason: z.string() }),
  z.object({ kind: z.literal('internal'), requestId: z.string(), retryable: z.boolean(), message: z.string() }),
]);
export type Refusal = z.infer<typeof replySchema>;

/** @throws PayloadTooLarge */
export const writeOutput = (output: unknown, limitBytes: number): Reply => {
  const body = JSON.stringify(output) ?? 'null';
  requireFits(Buffer.byteLength(body), limitBytes);
  return { kind: 'ok', body };
};

export const writeRefusal = (refusal: Refusal): Reply => ({ kind: refusal.kind, body: JSON.stringify(refusal) });

/** Answers a request that came over NATS. */
export const respond = (message: Msg, { kind, body }: Reply): void => {
  const fields = headers();
  fields.set(REPLY_HEADER, kind);
  message.respond(body, { headers: fields });
};

/** An answer as it came over NATS. */
export const replyOf = (message: Msg): Reply => ({
  kind: message.headers?.get(REPLY_HEADER) ?? '',
  body: message.string(),
});

/** @throws AwsError, RequestTimeout, ServiceUnavailable, InternalError: what the reply says. */
export const readReply = ({ kind, body }: Reply, service: string, action: string, requestId: string): unknown => {
  const answer: unknown = JSON.parse(body);
  if (kind === 'ok') return answer;
  const refusal = replySchema.parse(answer);
  switch (refusal.kind) {
    case 'aws-error': {
      const { code, message: text, status, members } = refusal;
      throw new AwsError({ code, message: text, status, members });
    }
    case 'timeout':
      throw new RequestTimeout(service, action, requestId);
    case 'unavailable':
      throw new ServiceUnavailable(service, action, requestId, refusal.reason);
    case 'internal':
      throw new InternalError(refusal.requestId, refusal.retryable, refusal.message);
  }
};
