/**
 * The one definition of how requests and replies are written on NATS. Request: subject `<service>.request.<Action>.v1`,
 * body JSON, context as one JSON header. Reply: body JSON, its kind in a header.
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

/** @throws PayloadTooLarge */
export const encodeJson = (value: unknown, limitBytes: number): Uint8Array => {
  const bytes = new TextEncoder().encode(JSON.stringify(value) ?? 'null');
  if (bytes.length > limitBytes) throw new PayloadTooLarge(bytes.length, limitBytes);
  return bytes;
};

export const encodeContext = (context: RequestContext): MsgHdrs => {
  const text = JSON.stringify(context);
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes > CONTEXT_LIMIT_BYTES) throw new PayloadTooLarge(sizeBytes, CONTEXT_LIMIT_BYTES);
  const fields = headers();
  fields.set(CONTEXT_HEADER, text);
  if (context.traceparent !== undefined) fields.set(TRACEPARENT_HEADER, context.traceparent);
  return fields;
};

/** @throws when the header is absent, no JSON, or no context. */
export const decodeContext = (message: Msg): RequestContext => {
  const text = message.headers?.get(CONTEXT_HEADER) ?? '';
  if (text === '' || Buffer.byteLength(text) > CONTEXT_LIMIT_BYTES) throw new TypeError('no request context');
  const context = requestContextSchema.parse(JSON.parse(text));
  const traceparent = message.headers?.get(TRACEPARENT_HEADER);
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

const withKind = (kind: string): MsgHdrs => {
  const fields = headers();
  fields.set(REPLY_HEADER, kind);
  return fields;
};

/** @throws PayloadTooLarge */
export const sendOutput = (message: Msg, output: unknown, limitBytes: number): void => {
  message.respond(encodeJson(output, limitBytes), { headers: withKind('ok') });
};

export const sendRefusal = (message: Msg, refusal: Refusal): void => {
  message.respond(JSON.stringify(refusal), { headers: withKind(refusal.kind) });
};

/** @throws AwsError, RequestTimeout, ServiceUnavailable, InternalError: what the reply says. */
export const readReply = (message: Msg, service: string, action: string, requestId: string): unknown => {
  if (message.headers?.get(REPLY_HEADER) === 'ok') return message.json();
  const refusal = replySchema.parse(message.json());
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
