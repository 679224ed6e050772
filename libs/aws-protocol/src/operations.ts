import { modelOf, operationRow, shapeRow } from './services.ts';
import type { MemberRow, OperationRow, ServiceId, ServiceModel } from './service-model.ts';

export interface OperationInfo {
  readonly name: string;
  /** CloudTrail's `readOnly`. */
  readonly readOnly: boolean;
  /** The member that clients fill with a token of their own, e.g. `ClientToken`. */
  readonly idempotencyToken?: string;
  /** Members that a request may have. */
  readonly members: readonly string[];
  /** Members that a request must have; the codec has checked them. */
  readonly requiredMembers: readonly string[];
  /** Members, input and output alike, that may never be logged. Top level only. */
  readonly sensitiveMembers: readonly string[];
  /** Whether the request's or the response's body is a payload of raw bytes beside the JSON shape. */
  readonly payload: { readonly in: boolean; readonly out: boolean };
}

const describe = (model: ServiceModel, name: string, row: OperationRow): OperationInfo => {
  const membersOf = (shape: string | null): readonly MemberRow[] => (shape === null ? [] : shapeRow(model, shape).m);
  const [input, output] = [membersOf(row.in), membersOf(row.out)];
  return {
    name,
    readOnly: row.ro === 1,
    idempotencyToken: input.find((m) => m.tok === 1)?.n,
    members: input.map((m) => m.n),
    requiredMembers: input.filter((m) => m.r === 1 && m.t !== 'X').map((m) => m.n),
    sensitiveMembers: [...input, ...output].filter((m) => m.sen === 1).map((m) => m.n),
    payload: { in: input.some((m) => m.t === 'X'), out: output.some((m) => m.t === 'X') },
  };
};

const cache = new Map<ServiceId, ReadonlyMap<string, OperationInfo>>();

/** The operations of a service that have tables, by name. */
export const operations = (service: ServiceId): ReadonlyMap<string, OperationInfo> => {
  const cached = cache.get(service);
  if (cached !== undefined) return cached;
  const model = modelOf(service);
  const infos = Object.keys(model.operations).map((name): [string, OperationInfo] => {
    const row = operationRow(model, name);
    if (row === undefined) throw new Error(`no tables of ${name}`);
    return [name, describe(model, name, row)];
  });
  const found = new Map(infos);
  cache.set(service, found);
  return found;
};
