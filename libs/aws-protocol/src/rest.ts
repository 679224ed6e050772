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

const matchPath = (template: string, path: string): Map<string, string> | undefined => {
  const [wanted, found] = [template.split('/'), path.split('/')];
  if (wanted.length !== found.length) return undefined;
  const labels = new Map<string, string>();
  for (const [i, part] of wanted.entries()) {
    const label = LABEL.exec(part)?.[1];
    const segment = found[i] ?? '';
    if (label === undefined) {
      if (part !== segment) return undefined;
      continue;
    }
    const decoded = percentDecode(segment);
    if (decoded === undefined || decoded === '') return undefined;
    labels.set(label, decoded);
  }
  return labels;
};

/** The operation that a method and path name. A literal segment wins over a label, as in `/snapshots/completion/{id}`. */
export const matchRoute = (model: ServiceModel, method: string, url: string): RestRoute | undefined => {
  const { path } = splitUrl(url);
  const routes = Object.entries(model.operations).flatMap(([operation, row]): RestRoute[] => {
    if (row.http?.[0] !== method) return [];
    const labels = matchPath(row.http[1], path);
    return labels === undefined ? [] : [{ operation, row, labels }];
  });
  return routes.sort((a, b) => a.labels.size - b.labels.size)[0];
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
