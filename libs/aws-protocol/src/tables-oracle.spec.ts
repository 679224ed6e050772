import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isList, isMap, type MemberRow, type ServiceId } from './service-model.ts';
import { modelOf, SERVICE_IDS } from './services.ts';
import { botocoreVersion, runPython } from './testing/botocore.ts';

interface OracleMember {
  type: string;
  query: string;
  xml: string;
  required: boolean;
  location: string | null;
  locationName: string | null;
  enum: string[] | null;
  flattened: boolean;
  token: boolean;
  item?: string;
  element?: string;
}
interface OracleService {
  operations: Record<
    string,
    {
      http: { method: string; requestUri: string; responseCode?: number };
      in?: string;
      out?: string;
      unsigned: boolean;
    }
  >;
  shapes: Record<string, Record<string, OracleMember>>;
}

const TYPES: Readonly<Record<string, string>> = {
  string: 's',
  character: 's',
  boolean: 'b',
  integer: 'number',
  long: 'number',
  float: 'number',
  double: 'number',
  timestamp: 't',
  blob: 'blob',
  structure: '@',
  list: 'list',
  map: 'map',
};
const kindOf = (type: MemberRow['t']): string => {
  if (isList(type)) return 'list';
  if (isMap(type)) return 'map';
  if (type.startsWith('@')) return '@';
  const kinds: Readonly<Record<string, string>> = { i: 'number', l: 'number', d: 'number', x: 'blob', X: 'blob' };
  return kinds[type] ?? type;
};

/** Requirements that the clients' newer model no longer has: a service principal may stand in the principal's place. */
const RELAXED = ['kms CreateGrantRequest.GranteePrincipal', 'kms ListRetirableGrantsRequest.RetiringPrincipal'];

/** Names the operations whose required members the tables leave to their service. */
const operationList = JSON.parse(readFileSync(new URL('../models/operations.json', import.meta.url), 'utf8')) as Record<
  ServiceId,
  { requiredLeftToService: string[] }
>;

const differences = (service: ServiceId, oracle: OracleService): string[] => {
  const model = modelOf(service);
  const found: string[] = [];
  const differ = (where: string, what: string, ours: unknown, theirs: unknown) => {
    if (JSON.stringify(ours) !== JSON.stringify(theirs))
      found.push(`${where} ${what}: ${String(ours)}, botocore ${String(theirs)}`);
  };
  const isQuery = model.protocol.endsWith('Query');
  const unchecked = operationList[service].requiredLeftToService.map((name) => model.operations[name]?.in);
  for (const [shape, members] of Object.entries(oracle.shapes)) {
    const row = model.shapes[shape];
    if (row === undefined) continue; // Compared below, by operation: the clients name some shapes otherwise.
    for (const [name, theirs] of Object.entries(members)) {
      const where = `${service} ${shape}.${name}`;
      const ours = row.m.find((m) => m.n === name);
      if (ours === undefined) {
        found.push(`${where} is missing`);
        continue;
      }
      differ(where, 'type', kindOf(ours.t), TYPES[theirs.type]);
      if (!unchecked.includes(shape) && !RELAXED.includes(where))
        differ(where, 'required', ours.r === 1, theirs.required);
      differ(where, 'token', ours.tok === 1, theirs.token);
      if (isQuery) {
        differ(where, 'form key', ours.q ?? name, theirs.query);
        differ(where, 'XML tag', ours.x ?? name, theirs.xml);
        differ(where, 'flattened', false, theirs.flattened);
        if (isList(ours.t) && theirs.item !== undefined) differ(where, 'item', ours.t.x ?? 'member', theirs.item);
      }
      if (isList(ours.t) && theirs.element !== undefined)
        differ(where, 'element', kindOf(ours.t.l), TYPES[theirs.element]);
      if (theirs.location === 'header') differ(where, 'header', ours.hh, theirs.locationName?.toLowerCase());
      if (theirs.location === 'querystring') differ(where, 'query', ours.hq, theirs.locationName);
      if (theirs.location === 'uri') differ(where, 'label', ours.hl, 1);
      if (service !== 'ec2' && theirs.enum !== null && theirs.type === 'string') {
        const allowed = model.enums[ours.e ?? ''] ?? [];
        const missing = theirs.enum.filter((value) => !allowed.includes(value));
        differ(where, 'enum values missing', missing, []);
      }
    }
  }
  return found;
};

describe.runIf(botocoreVersion !== undefined)('the tables against botocore', () => {
  const input = readFileSync(new URL('../models/operations.json', import.meta.url), 'utf8');
  const oracle = JSON.parse(runPython('botocore_model.py', [], input)) as Record<ServiceId, OracleService>;

  it.each(SERVICE_IDS)('%s: names, types, bindings and enums are the same', (service) => {
    const members = Object.entries(oracle[service].shapes).filter(
      ([shape]) => modelOf(service).shapes[shape] !== undefined,
    );
    expect(members.length).toBeGreaterThan(0);
    expect(differences(service, oracle[service])).toEqual([]);
  });

  it.each(SERVICE_IDS)('%s: every operation has its shapes and route', (service) => {
    const model = modelOf(service);
    for (const [name, theirs] of Object.entries(oracle[service].operations)) {
      const ours = model.operations[name];
      if (ours === undefined) throw new Error(`${name} is missing`);
      const membersOf = (shape: string | null | undefined) =>
        shape ? (model.shapes[shape]?.m ?? []).map((m) => m.n) : [];
      for (const end of ['in', 'out'] as const) {
        const theirMembers = Object.keys(oracle[service].shapes[theirs[end] ?? ''] ?? {});
        expect(membersOf(ours[end]), `${name} ${end}`).toEqual(expect.arrayContaining(theirMembers));
      }
      expect(ours.up === 1, `${name} unsigned body`).toBe(theirs.unsigned);
      if (ours.http) {
        const lower = ([method, path, status]: readonly [string, string, number]) => [
          method,
          path.toLowerCase(),
          status,
        ];
        const { method, requestUri, responseCode = 200 } = theirs.http;
        expect(lower(ours.http)).toEqual(lower([method, requestUri, responseCode]));
      }
    }
  });
});
