import { AwsError } from '@holdfast/contracts';
import { encodedPairs, header, percentDecode, queryParameters, splitUrl, type RawRequest } from './http-message.ts';
import { parseJsonBody, readStructure, writeStructure } from './json.ts';
import { readNumber } from './scalars.ts';
import { isList, type MemberRow, type OperationRow, type ServiceModel } from './service-model.ts';
import { shapeRow } from './services.ts';

export interface RestRoute {
  readonly operation: string;
  readonly row: OperationRow;
  /** Path labels by member name, decoded. */
  readonly labels: ReadonlyMap<string, string>;
}

const LABEL = /^\{(\w+)\}$/;

interface Template {
  readonly operation: string;
  readonly row: OperationRow;
  readonly method: string;
  /** The path's segments; the name of a label is in `label`. */
  readonly segments: readonly { readonly text: string; readonly label: string | undefined }[];
}

/** Read from the model once: with the fewest labels first, since a literal segment wins over a label. */
const templates = new WeakMap<ServiceModel, readonly Template[]>();

const templatesOf = (model: ServiceModel): readonly Template[] => {
  const known = templates.get(model);
  if (known !== undefined) return known;
  const read = Object.entries(model.operations).flatMap(([operation, row]): Template[] => {
    if (row.http === undefined) return [];
    const segments = row.http[1].split('/').map((text) => ({ text, label: LABEL.exec(text)?.[1] }));
    return [{ operation, row, method: row.http[0], segments }];
  });
  const labels = ({ segments }: Template) => segments.filter(({ label }) => label !== undefined).length;
  read.sort((a, b) => labels(a) - labels(b));
  templates.set(model, read);
  return read;
};

const matchPath = ({ segments }: Template, found: readonly string[]): Map<string, string> | undefined => {
  if (segments.length !== found.length) return undefined;
  if (segments.some(({ text, label }, at) => label === undefined && text !== found[at])) return undefined;
  const labels = new Map<string, string>();
  for (const [at, { label }] of segments.entries()) {
    if (label === undefined) continue;
    const decoded = percentDecode(found[at] ?? '');
    if (decoded === undefined || decoded === '') return undefined;
    labels.set(label, decoded);
  }
  return labels;
};

/** The operation that a method and path name. A literal segment wins over a label, as in `/snapshots/completion/{id}`. */
export const matchRoute = (model: ServiceModel, method: string, url: string): RestRoute | undefined => {
  const found = splitUrl(url).path.split('/');
  for (const template of templatesOf(model)) {
    const labels = template.method === method ? matchPath(template, found) : undefined;
    if (labels !== undefined) return { operation: template.operation, row: template.row, labels };
  }
  return undefined;
};

const invalid = (message: string) => new AwsError({ code: 'ValidationException', message });

/** A query parameter of a list is repeated, once for each element. */
const readList = (member: MemberRow, query: string): string[] =>
  [...encodedPairs(query)].flatMap(([key, value]) =>
    percentDecode(key) === member.hq ? [percentDecode(value) ?? ''] : [],
  );

const readText = (member: MemberRow, text: string): string | number => {
  if (member.t === 's') return text;
  if (member.t !== 'i' && member.t !== 'l')
    throw new Error(`${member.n}: a header, label or query of type not supported`);
  const value = readNumber(member.t, text);
  if (value === undefined) throw invalid(`The value of ${member.n} is not a valid integer.`);
  return value;
};

const isInBody = (member: MemberRow): boolean =>
  member.hh === undefined && member.hq === undefined && member.hl === undefined && member.hp === undefined;

/**
 * Reads labels, query, headers and the JSON body of a REST request. A streaming payload stays beside the input.
 * @throws AwsError ValidationException | SerializationException
 */
export const readRestInput = (
  model: ServiceModel,
  { row, labels }: RestRoute,
  request: RawRequest,
): { input: Record<string, unknown>; payload?: Buffer } => {
  if (row.in === null) return { input: {} };
  const { query: queryText } = splitUrl(request.url);
  const query = queryParameters(queryText);
  if (query === null) throw invalid('The query string contains a malformed escape.');
  const { m: members } = shapeRow(model, row.in);
  const hasPayload = members.some((m) => m.hp === 1);
  const bound: Record<string, unknown> = {};
  for (const member of members) {
    let text: string | undefined;
    if (isList(member.t) && member.hq !== undefined && query.has(member.hq)) {
      bound[member.n] = readList(member, queryText);
      continue;
    }
    if (member.hl === 1) text = labels.get(member.n);
    else if (member.hq !== undefined) text = query.get(member.hq);
    else if (member.hh !== undefined) text = header(request, member.hh)?.trim();
    if (text !== undefined) bound[member.n] = readText(member, text);
  }
  const takesBody = !hasPayload && members.some(isInBody);
  const fromBody = takesBody ? readStructure(model, row.in, parseJsonBody(request.body), isInBody) : {};
  return { input: { ...bound, ...fromBody }, ...(hasPayload && { payload: request.body }) };
};

/** Headers and body of a REST answer. @throws TypeError when the value is not of the shape */
export const writeRestOutput = (
  model: ServiceModel,
  row: OperationRow,
  output: Readonly<Record<string, unknown>>,
  payload: Buffer | undefined,
): { headers: Record<string, string>; contentType: string; body: Buffer } => {
  const members = row.out === null ? [] : shapeRow(model, row.out).m;
  const headers: Record<string, string> = {};
  for (const { n, hh } of members) {
    const value = output[n];
    if (hh === undefined || value === undefined || value === null) continue;
    if (typeof value !== 'string' && typeof value !== 'number')
      throw new TypeError(`an answer has ${typeof value} at ${n}`);
    headers[hh] = String(value);
  }
  if (members.some((m) => m.hp === 1)) {
    if (payload === undefined) throw new TypeError('an answer lacks its payload');
    return { headers, contentType: 'application/octet-stream', body: payload };
  }
  const json = row.out === null ? {} : writeStructure(model, row.out, output, isInBody);
  return { headers, contentType: 'application/json', body: Buffer.from(JSON.stringify(json)) };
};
