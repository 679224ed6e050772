import { isUtf8 } from 'node:buffer';
import { AwsError } from '@holdfast/contracts';
import { fromEpochMs, isBase64, isNumberOf } from './scalars.ts';
import { isList, isMap, type MemberRow, type ServiceModel, type SimpleType } from './service-model.ts';
import { structureName, type TypeRow } from './service-model.ts';
import { shapeRow } from './services.ts';

const serialization = (message: string) => new AwsError({ code: 'SerializationException', message });

/** The words of AWS's own JSON parser for what it found. */
const tokenOf = (value: unknown): string => {
  if (typeof value === 'string') return 'STRING_VALUE';
  if (typeof value === 'number') return 'NUMBER_VALUE';
  return value === true ? 'TRUE_VALUE' : 'FALSE_VALUE';
};

const TYPE_NAMES: Readonly<Partial<Record<SimpleType, string>>> = {
  s: 'String',
  i: 'Integer',
  l: 'Long',
  d: 'Double',
  b: 'Boolean',
  t: 'Timestamp',
  x: 'ByteBuffer',
};

const mismatch = (value: unknown, expected: string): never => {
  if (Array.isArray(value)) throw serialization('Start of list found where not expected');
  if (typeof value === 'object') throw serialization('Start of structure or map found where not expected.');
  throw serialization(`${tokenOf(value)} can not be converted to ${expected}`);
};

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const readScalar = (type: SimpleType, value: unknown): unknown => {
  switch (type) {
    case 's':
      if (typeof value === 'string') return value;
      break;
    case 'b':
      if (typeof value === 'boolean') return value;
      break;
    case 'i':
    case 'l':
    case 'd':
      if (typeof value === 'number' && isNumberOf(type, value)) return value;
      break;
    case 't': {
      const time = typeof value === 'number' ? fromEpochMs(Math.round(value * 1000)) : undefined;
      if (time !== undefined) return time;
      break;
    }
    case 'x':
      if (typeof value === 'string' && isBase64(value)) return value;
      break;
    default:
      throw new Error(`JSON cannot hold type ${type}`);
  }
  return mismatch(value, TYPE_NAMES[type] ?? type);
};

const readValue = (model: ServiceModel, type: TypeRow, value: unknown): unknown => {
  if (isList(type)) {
    if (!Array.isArray(value)) return mismatch(value, 'List');
    return value.filter((v) => v !== null).map((v: unknown) => readValue(model, type.l, v));
  }
  if (isMap(type)) {
    if (!isObject(value)) return mismatch(value, 'Map');
    // Without a prototype: a key `__proto__` is a key like any other, and part of an encryption context.
    const out = Object.create(null) as Record<string, unknown>;
    for (const [key, v] of Object.entries(value)) if (v !== null) out[key] = readValue(model, type.v, v);
    return out;
  }
  const shape = structureName(type);
  if (shape === undefined) return readScalar(type, value);
  if (!isObject(value)) return mismatch(value, 'Structure');
  return readStructure(model, shape, value);
};

/**
 * The modelled members of a JSON object, types checked. Null is absence; members that the model lacks are ignored, as AWS
 * ignores them.
 * @throws AwsError SerializationException
 */
export const readStructure = (
  model: ServiceModel,
  shape: string,
  value: Readonly<Record<string, unknown>>,
  isBodyMember: (member: MemberRow) => boolean = () => true,
): Record<string, unknown> => {
  const out: Record<string, unknown> = {};
  for (const member of shapeRow(model, shape).m) {
    if (!isBodyMember(member) || !Object.hasOwn(value, member.n)) continue;
    const held = value[member.n];
    if (held !== null && held !== undefined) out[member.n] = readValue(model, member.t, held);
  }
  return out;
};

const decodeUtf8 = (body: Buffer): string => {
  if (!isUtf8(body)) throw new TypeError('not UTF-8');
  return body.toString();
};

/**
 * A request body as a JSON object; an empty body is an empty object.
 * @throws AwsError SerializationException
 */
export const parseJsonBody = (body: Buffer): Readonly<Record<string, unknown>> => {
  if (body.length === 0) return {};
  let value: unknown;
  try {
    value = JSON.parse(decodeUtf8(body));
  } catch {
    throw serialization('Unable to parse the request body as JSON.');
  }
  return isObject(value) ? value : mismatch(value, 'Structure');
};

const outputFault = (type: string, value: unknown) =>
  new TypeError(`an answer has ${value === null ? 'null' : typeof value} where the model has ${type}`);

const writeScalar = (type: SimpleType, value: unknown): unknown => {
  const expected = type === 'b' ? 'boolean' : type === 'i' || type === 'l' || type === 'd' ? 'number' : 'string';
  if (typeof value !== expected) throw outputFault(type, value);
  if (type !== 't') return value;
  const ms = Date.parse(value as string);
  if (Number.isNaN(ms)) throw outputFault(type, value);
  return ms / 1000;
};

const writeValue = (model: ServiceModel, type: TypeRow, value: unknown): unknown => {
  if (isList(type)) {
    if (!Array.isArray(value)) throw outputFault('a list', value);
    return value.map((v: unknown) => writeValue(model, type.l, v));
  }
  if (isMap(type)) {
    if (!isObject(value)) throw outputFault('a map', value);
    const out = Object.create(null) as Record<string, unknown>;
    for (const [key, v] of Object.entries(value)) out[key] = writeValue(model, type.v, v);
    return out;
  }
  const shape = structureName(type);
  if (shape === undefined) return writeScalar(type, value);
  if (!isObject(value)) throw outputFault('a structure', value);
  return writeStructure(model, shape, value);
};

/**
 * An output in its JSON form: timestamps as epoch seconds. Members that the model lacks stay inside.
 * @throws TypeError when the value is not of the shape
 */
export const writeStructure = (
  model: ServiceModel,
  shape: string,
  value: Readonly<Record<string, unknown>>,
  isBodyMember: (member: MemberRow) => boolean = () => true,
): Record<string, unknown> => {
  const out: Record<string, unknown> = {};
  for (const member of shapeRow(model, shape).m) {
    const held = value[member.n];
    if (isBodyMember(member) && held !== undefined && held !== null) out[member.n] = writeValue(model, member.t, held);
  }
  return out;
};
