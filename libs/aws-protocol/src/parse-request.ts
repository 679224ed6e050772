import { AwsError } from '@holdfast/contracts';
import { parseForm } from './form.ts';
import { header, splitUrl, type RawRequest } from './http-message.ts';
import { parseJsonBody, readStructure } from './json.ts';
import { readQueryInput } from './query-input.ts';
import { refuseAsRecorded, refuseEncoded } from './recorded-refusals.ts';
import { matchRoute, readRestInput } from './rest.ts';
import { serviceOf, splitTarget } from './route.ts';
import type { ServiceId } from './service-model.ts';
import { modelOf, requireOperation, unknownOperation } from './services.ts';
import { validate } from './validation.ts';

/** A request in AWS's own shape: blobs base64, timestamps ISO-8601 in UTC, maps without a prototype. */
export interface ParsedRequest {
  readonly service: ServiceId;
  readonly operation: string;
  /** An input shape of the service's generated types. */
  readonly input: Readonly<Record<string, unknown>>;
  /** The body of an operation with a streaming payload (PutSnapshotBlock), which is no member of `input`. */
  readonly payload?: Buffer;
}

const parseQuery = (service: ServiceId, request: RawRequest): ParsedRequest => {
  const model = modelOf(service);
  if (request.method !== 'POST' && request.method !== 'GET') {
    throw new AwsError({ code: 'MalformedQueryString', message: `The method ${request.method} is not allowed.` });
  }
  const body = request.method === 'GET' ? Buffer.alloc(0) : request.body;
  const form = parseForm(splitUrl(request.url).query, body);
  const operation = form.children?.get('Action')?.value;
  if (operation === undefined || operation === '') {
    throw new AwsError({ code: 'MissingAction', message: 'The request is missing an action or a required parameter.' });
  }
  const row = requireOperation(service, operation);
  const input = readQueryInput(model, row.in, form);
  if (model.protocol === 'awsQuery' && row.in !== null) validate(model, row.in, input, 'ValidationError');
  return { service, operation, input };
};

const parseJson = (service: ServiceId, request: RawRequest): ParsedRequest => {
  const model = modelOf(service);
  const { prefix, operation } = splitTarget(header(request, 'x-amz-target') ?? '');
  if (request.method !== 'POST' || prefix !== model.targetPrefix) throw unknownOperation(service, operation);
  const row = requireOperation(service, operation);
  const body = parseJsonBody(request.body);
  const input = row.in === null ? {} : readStructure(model, row.in, body);
  if (row.in !== null) validate(model, row.in, input, 'ValidationException');
  return { service, operation, input };
};

const parseRest = (service: ServiceId, request: RawRequest): ParsedRequest => {
  const model = modelOf(service);
  const route = matchRoute(model, request.method, request.url);
  if (route === undefined) throw unknownOperation(service, '');
  const { input, payload } = readRestInput(model, route, request);
  if (payload !== undefined) refuseEncoded(header(request, 'content-encoding'));
  refuseAsRecorded(service, route.operation, input);
  if (route.row.in !== null) validate(model, route.row.in, input, 'ValidationException');
  return { service, operation: route.operation, input, ...(payload !== undefined && { payload }) };
};

/**
 * Reads a request of any of the protocols. The caller has bounded the body's size. Nothing is authenticated here.
 * @throws AwsError in the words of the request's service: unknown or unsupported operation, malformed or invalid input.
 *   UnknownOperationException when not even the service can be told.
 */
export const parseRequest = (request: RawRequest): ParsedRequest => {
  const service = serviceOf(request);
  if (service === null) throw new AwsError({ code: 'UnknownOperationException', status: 404 });
  switch (modelOf(service).protocol) {
    case 'ec2Query':
    case 'awsQuery':
      return parseQuery(service, request);
    case 'awsJson1_1':
      return parseJson(service, request);
    case 'restJson1':
      return parseRest(service, request);
  }
};
