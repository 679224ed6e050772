import type { AwsErrorShape } from '@holdfast/contracts';
import { statusOf } from './error-status.ts';
import { response, type RawResponse, type ResponseContext } from './http-message.ts';
import { writeStructure } from './json.ts';
import { writeRestOutput } from './rest.ts';
import type { ServiceId, ServiceModel } from './service-model.ts';
import { modelOf, requireOperation } from './services.ts';
import { element, escapeXml, writeXml } from './xml-output.ts';

const XML = 'text/xml;charset=UTF-8';
const JSON_1_1 = 'application/x-amz-json-1.1';
const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';

const namespaceOf = (model: ServiceModel): string => ` xmlns="${model.namespace ?? ''}"`;

const ec2Body = (model: ServiceModel, operation: string, shape: string | null, output: unknown, id: string): string => {
  const content = shape === null ? '<return>true</return>' : writeXml(model, shape, output);
  return `<${operation}Response${namespaceOf(model)}>${element('requestId', escapeXml(id))}${content}</${operation}Response>`;
};

const queryBody = (
  model: ServiceModel,
  operation: string,
  shape: string | null,
  output: unknown,
  id: string,
): string => {
  const result = shape === null ? '' : element(`${operation}Result`, writeXml(model, shape, output));
  const metadata = `<ResponseMetadata>${element('RequestId', escapeXml(id))}</ResponseMetadata>`;
  return `<${operation}Response${namespaceOf(model)}>${result}${metadata}</${operation}Response>`;
};

/**
 * Writes an output. Members that the model lacks never reach the wire.
 * @param output in AWS's shape: blobs base64, timestamps ISO-8601; `{}` for operations without output.
 * @param payload the bytes of an operation with a streaming payload (GetSnapshotBlock).
 * @throws TypeError | RangeError when the output is not of the operation's shape: a fault of the service that made it.
 */
export const serializeResponse = (
  service: ServiceId,
  operation: string,
  output: unknown,
  context: ResponseContext & { readonly payload?: Buffer },
): RawResponse => {
  const model = modelOf(service);
  const row = requireOperation(service, operation);
  const fields = (output ?? {}) as Readonly<Record<string, unknown>>;
  switch (model.protocol) {
    case 'ec2Query':
      return xml(200, ec2Body(model, operation, row.out, fields, context.requestId), context);
    case 'awsQuery':
      return xml(200, queryBody(model, operation, row.out, fields, context.requestId), context);
    case 'awsJson1_1': {
      const body = row.out === null ? '' : JSON.stringify(writeStructure(model, row.out, fields));
      return response(200, JSON_1_1, Buffer.from(body), context);
    }
    case 'restJson1': {
      const { headers, contentType, body } = writeRestOutput(model, row, fields, context.payload);
      const status = row.http?.[2] ?? 200;
      if (status === 204) return response(status, undefined, Buffer.alloc(0), context, headers);
      return response(status, contentType, body, context, headers);
    }
  }
};

const xml = (status: number, body: string, context: ResponseContext): RawResponse =>
  response(status, XML, Buffer.from(DECLARATION + body), context);

/** Error codes whose message member AWS spells with a capital. */
const CAPITAL_MESSAGE: readonly string[] = ['AccessDeniedException', 'SerializationException'];

const memberElements = (error: AwsErrorShape): string =>
  Object.entries(error.members ?? {})
    .map(([name, value]) => element(name, escapeXml(String(value))))
    .join('');

const ec2Error = (error: AwsErrorShape, id: string): string => {
  const content = element('Code', escapeXml(error.code)) + element('Message', escapeXml(error.message ?? ''));
  return `<Response><Errors><Error>${content}${memberElements(error)}</Error></Errors>${element('RequestID', escapeXml(id))}</Response>`;
};

const queryError = (namespace: string, error: AwsErrorShape, status: number, id: string): string => {
  const type = element('Type', status >= 500 ? 'Receiver' : 'Sender');
  const content = type + element('Code', escapeXml(error.code)) + element('Message', escapeXml(error.message ?? ''));
  return `<ErrorResponse${namespace}><Error>${content}${memberElements(error)}</Error>${element('RequestId', escapeXml(id))}</ErrorResponse>`;
};

const jsonError = (error: AwsErrorShape): Buffer => {
  const name = CAPITAL_MESSAGE.includes(error.code) ? 'Message' : 'message';
  // AwsError turns an absent message into ''; AWS sends no member then.
  const message = error.message === undefined || error.message === '' ? {} : { [name]: error.message };
  return Buffer.from(JSON.stringify({ ...error.members, __type: error.code, ...message }));
};

const restError = (error: AwsErrorShape): Buffer => {
  const message = error.message === undefined || error.message === '' ? {} : { Message: error.message };
  return Buffer.from(JSON.stringify({ ...error.members, ...message }));
};

/**
 * Writes an error in the protocol of `service`. Null: the service could not be told; the answer is a plain XML error.
 * Status: `error.status`, else the protocol's own for the code.
 */
export const serializeError = (
  service: ServiceId | null,
  error: AwsErrorShape,
  context: ResponseContext,
): RawResponse => {
  if (service === null) {
    const status = error.status ?? 400;
    return xml(status, queryError('', error, status, context.requestId), context);
  }
  const model = modelOf(service);
  const status = error.status ?? statusOf(model.protocol, model.errors, error.code);
  switch (model.protocol) {
    case 'ec2Query':
      return xml(status, ec2Error(error, context.requestId), context);
    case 'awsQuery':
      return xml(status, queryError(namespaceOf(model), error, status, context.requestId), context);
    case 'awsJson1_1':
      return response(status, JSON_1_1, jsonError(error), context);
    case 'restJson1':
      return response(status, 'application/json', restError(error), context, { 'x-amzn-errortype': error.code });
  }
};
