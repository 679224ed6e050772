import { Readable } from 'node:stream';
import * as cloudtrail from '@aws-sdk/client-cloudtrail';
import * as ebs from '@aws-sdk/client-ebs';
import * as ec2 from '@aws-sdk/client-ec2';
import * as iam from '@aws-sdk/client-iam';
import * as kms from '@aws-sdk/client-kms';
import * as sts from '@aws-sdk/client-sts';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { RawRequest } from './http-message.ts';
import { parseRequest } from './parse-request.ts';
import { serializeResponse } from './serialize.ts';
import { isList, isMap, structureName, type ServiceId, type ServiceModel, type TypeRow } from './service-model.ts';
import { modelOf, SERVICE_IDS } from './services.ts';
import { RbinClient, rbinCommand } from './testing/rbin-client.ts';

// Thousands of cases: seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

// Values are random, so they break the models' patterns and enums, and what services refuse besides: what is tested here is names, places and encodings.
vi.mock('./validation.ts', () => ({ validate: () => undefined }));
vi.mock('./recorded-refusals.ts', () => ({ refuseAsRecorded: () => undefined, refuseEncoded: () => undefined }));

const rbinCommands = Object.keys(modelOf('rbin').operations).map((name) => [`${name}Command`, rbinCommand(name)]);
const rbin = { RbinClient, ...Object.fromEntries(rbinCommands) };
const CLIENTS = { cloudtrail, ebs, ec2, iam, kms, rbin, sts } as unknown as Record<
  ServiceId,
  Record<string, new (input: never) => Client>
>;
interface Client {
  send(command: unknown): Promise<Record<string, unknown>>;
}

const oddText = fc
  .string({ unit: fc.constantFrom(...'ab<>&"\'é日😀 \n\r+%=/.,;:_-'), maxLength: 6 })
  .map((s) => `${s}x`);
/** What fits into a header: EBS direct binds most of its members to one. */
const plainText = fc.string({ unit: fc.constantFrom(...'aZ09+/=_-. '), maxLength: 6 }).map((s) => `x${s}x`);
const textOf = (model: ServiceModel) => (model.protocol === 'restJson1' ? plainText : oddText);
const timestamp = fc.integer({ min: 0, max: 4_000_000_000_000 }).map((ms) => new Date(ms).toISOString());
/** To EC2 a required parameter without any text is missing. */
const blobOf = ({ protocol }: ServiceModel) =>
  fc
    .uint8Array({ minLength: protocol === 'ec2Query' ? 1 : 0, maxLength: 9 })
    .map((bytes) => Buffer.from(bytes).toString('base64'));

/** Every member of every shape present, to a depth that recursive shapes need. */
const valueOf = (model: ServiceModel, type: TypeRow, depth: number): fc.Arbitrary<unknown> | undefined => {
  if (isList(type)) {
    const element = valueOf(model, type.l, depth);
    return element && fc.array(element, { minLength: 1, maxLength: 2 });
  }
  if (isMap(type)) {
    const value = valueOf(model, type.v, depth);
    return value && fc.dictionary(textOf(model), value, { minKeys: 1, maxKeys: 2, noNullPrototype: true });
  }
  const shape = structureName(type);
  if (shape !== undefined) return depth > 6 ? undefined : structureOf(model, shape, depth + 1);
  const scalars: Record<string, fc.Arbitrary<unknown>> = {
    s: textOf(model),
    b: fc.boolean(),
    i: fc.integer(),
    l: fc.maxSafeInteger(),
    d: fc.integer(),
    t: timestamp,
    x: blobOf(model),
  };
  return scalars[type as string];
};

const structureOf = (model: ServiceModel, shape: string, depth: number): fc.Arbitrary<Record<string, unknown>> => {
  const members = (model.shapes[shape]?.m ?? []).flatMap((m): [string, fc.Arbitrary<unknown>][] => {
    const value = valueOf(model, m.t, depth);
    return value === undefined ? [] : [[m.n, value]];
  });
  return fc.record(Object.fromEntries(members), { noNullPrototype: true });
};

/** Between our representation (strings) and the client's (Date, bytes), by the shape. */
const convert = (
  model: ServiceModel,
  type: TypeRow,
  value: unknown,
  scalar: (type: string, value: unknown) => unknown,
): unknown => {
  if (value === undefined) return undefined;
  if (isList(type)) return (value as unknown[]).map((v) => convert(model, type.l, v, scalar));
  if (isMap(type)) {
    return Object.fromEntries(Object.entries(value as object).map(([k, v]) => [k, convert(model, type.v, v, scalar)]));
  }
  const shape = structureName(type);
  if (shape === undefined) return scalar(type as string, value);
  const held = value as Record<string, unknown>;
  const members = (model.shapes[shape]?.m ?? []).filter((m) => held[m.n] !== undefined && m.t !== 'X');
  return Object.fromEntries(members.map((m) => [m.n, convert(model, m.t, held[m.n], scalar)]));
};
const toClient = (type: string, value: unknown): unknown =>
  type === 't'
    ? new Date(value as string)
    : type === 'x'
      ? new Uint8Array(Buffer.from(value as string, 'base64'))
      : value;
const fromClient = (type: string, value: unknown): unknown =>
  value instanceof Date
    ? value.toISOString()
    : type === 'x'
      ? Buffer.from(value as Uint8Array).toString('base64')
      : value;

interface SdkRequest {
  method: string;
  path: string;
  query?: Record<string, string | string[]>;
  headers: Record<string, string>;
  body?: string | Uint8Array;
}

const rawOf = ({ method, path, query = {}, headers, body = '' }: SdkRequest): RawRequest => {
  const pairs = Object.entries(query).flatMap(([k, values]) =>
    [values].flat().map((value) => `${encodeURIComponent(k)}=${encodeURIComponent(value)}`),
  );
  const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  return {
    method,
    url: path + (pairs.length > 0 ? `?${pairs.join('&')}` : ''),
    headers: lower,
    body: Buffer.from(body),
  };
};

const clientName: Record<ServiceId, string> = {
  cloudtrail: 'CloudTrailClient',
  ebs: 'EBSClient',
  ec2: 'EC2Client',
  iam: 'IAMClient',
  kms: 'KMSClient',
  rbin: 'RbinClient',
  sts: 'STSClient',
};

describe.each(SERVICE_IDS)('every %s operation', (service) => {
  const model = modelOf(service);
  let seen: ReturnType<typeof parseRequest> | undefined;
  let output: unknown;
  const payload = Buffer.from('the bytes of a block');
  const requestHandler = {
    handle: (request: SdkRequest) => {
      seen = parseRequest(rawOf(request));
      const answer = serializeResponse(service, seen.operation, output, { requestId: 'r', now: new Date(0), payload });
      const response = { statusCode: answer.status, headers: answer.headers, body: Readable.from([answer.body]) };
      return Promise.resolve({ response });
    },
  };
  const ClientClass = CLIENTS[service][clientName[service]]!;
  const client = new ClientClass({
    region: 'eu-central-1',
    credentials: { accessKeyId: 'a', secretAccessKey: 's' },
    requestHandler,
    maxAttempts: 1,
  } as never);

  it.each(Object.keys(model.operations))('%s takes what the client sends and gives what it reads', async (name) => {
    const row = model.operations[name]!;
    const shapes = [row.in, row.out].map((shape) => (shape === null ? fc.constant({}) : structureOf(model, shape, 0)));
    await fc.assert(
      fc.asyncProperty(shapes[0]!, shapes[1]!, async (input, out) => {
        output = out;
        const Command = CLIENTS[service][`${name}Command`]!;
        const sent = row.in === null ? {} : (convert(model, `@${row.in}`, input, toClient) as Record<string, unknown>);
        const streams = (model.shapes[row.in ?? '']?.m ?? []).find((m) => m.t === 'X');
        const command = new Command({ ...sent, ...(streams && { [streams.n]: payload }) } as never);
        const answer = await client.send(command);
        expect(seen?.operation).toBe(name);
        expect(seen?.input).toEqual(input);
        if (streams) expect(seen?.payload).toEqual(payload);
        if (row.out !== null) expect(convert(model, `@${row.out}`, answer, fromClient)).toEqual(out);
      }),
      { numRuns: 3 },
    );
  });
});
