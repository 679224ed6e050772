import { AwsError } from '@holdfast/contracts';
import type { FormNode } from './form.ts';
import { isBase64, lowerFirst, readNumber, readTimestamp } from './scalars.ts';
import { isList, isMap, type ListType, type MapType, type MemberRow, type ServiceModel } from './service-model.ts';
import { structureName, type ShapeRow, type SimpleType, type TypeRow } from './service-model.ts';
import { shapeRow } from './services.ts';

/** Where a value stands in the request, e.g. `BlockDeviceMapping.1.Ebs`; empty for the request itself. */
type Path = string;
const join = (path: Path, key: string): Path => (path === '' ? key : `${path}.${key}`);

/** What the two query protocols do differently. */
interface Dialect {
  /** Lists are `Name.1` in EC2, `Name.member.1` elsewhere. */
  readonly flatLists: boolean;
  unknown(path: Path): void;
  invalid(path: Path, value: string, expected: string): never;
  required(shapePath: Path, members: readonly MemberRow[], found: Readonly<Record<string, unknown>>): void;
}

const ec2Dialect: Dialect = {
  flatLists: true,
  unknown: (path) => {
    throw new AwsError({ code: 'UnknownParameter', message: `The parameter ${path} is not recognized` });
  },
  invalid: (path, value, expected) => {
    throw new AwsError({
      code: 'InvalidParameterValue',
      message: `Value (${value}) for parameter ${lowerFirst(path)} is invalid. ${expected}`,
    });
  },
  required: (path, members, found) => {
    const isMissing = (value: unknown) =>
      value === undefined || value === '' || (Array.isArray(value) && value.length === 0);
    const missing = members.find((m) => m.r === 1 && isMissing(found[m.n]));
    if (missing === undefined) return;
    const name = join(path, missing.q ?? missing.n);
    throw new AwsError({ code: 'MissingParameter', message: `The request must contain the parameter ${name}` });
  },
};

/** STS and IAM ignore what they do not know; what is missing is collected by the validation. */
const awsQueryDialect: Dialect = {
  flatLists: false,
  unknown: () => undefined,
  invalid: (path, value, expected) => {
    throw new AwsError({ code: 'MalformedInput', message: `Value '${value}' at '${path}' is malformed. ${expected}` });
  },
  required: () => undefined,
};

/** List indexes as AWS counts them. */
const INDEX = /^(?:0|[1-9]\d{0,8})$/;

interface FormShape {
  readonly members: readonly MemberRow[];
  readonly byKey: ReadonlyMap<string, MemberRow>;
}
const formShapes = new WeakMap<ShapeRow, FormShape>();
/** A shape's members by their form keys. */
const formShapeOf = (model: ServiceModel, name: string): FormShape => {
  const row = shapeRow(model, name);
  let made = formShapes.get(row);
  if (made === undefined) {
    made = { members: row.m, byKey: new Map(row.m.map((m) => [m.q ?? m.n, m])) };
    formShapes.set(row, made);
  }
  return made;
};

class QueryReader {
  constructor(
    private readonly model: ServiceModel,
    private readonly dialect: Dialect,
  ) {}

  structure(shape: string, node: FormNode, path: Path): Record<string, unknown> {
    const { members, byKey } = formShapeOf(this.model, shape);
    const out: Record<string, unknown> = {};
    for (const [key, child] of node.children ?? []) {
      const member = byKey.get(key);
      const at = join(path, key);
      if (member === undefined) this.dialect.unknown(at);
      else out[member.n] = this.value(member.t, child, at);
    }
    this.dialect.required(path, members, out);
    return out;
  }

  private value(type: TypeRow, node: FormNode, path: Path): unknown {
    if (isList(type)) return this.list(type, node, path);
    if (isMap(type)) return this.map(type, node, path);
    const shape = structureName(type);
    if (shape === undefined) return this.scalar(type, node, path);
    if (node.value !== undefined && node.value !== '') this.dialect.invalid(path, node.value, 'Expected a structure.');
    return this.structure(shape, node, path);
  }

  /** Elements in the order of their indexes; gaps collapse. An empty value is an empty list. */
  private elements(node: FormNode, path: Path): [FormNode, Path][] {
    if (node.value !== undefined && node.value !== '') this.dialect.invalid(path, node.value, 'Expected a list.');
    const found: [number, FormNode, Path][] = [];
    for (const [key, child] of node.children ?? []) {
      if (INDEX.test(key)) found.push([Number(key), child, join(path, key)]);
      else this.dialect.unknown(join(path, key));
    }
    return found.sort(([a], [b]) => a - b).map(([, child, at]) => [child, at]);
  }

  private list(type: ListType, node: FormNode, path: Path): unknown[] {
    const key = this.dialect.flatLists ? undefined : (type.x ?? 'member');
    const holder = key === undefined ? node : node.children?.get(key);
    if (holder === undefined) return this.elements({ value: node.value }, path).map(() => undefined);
    const at = key === undefined ? path : join(path, key);
    return this.elements(holder, at).map(([child, childPath]) => this.value(type.l, child, childPath));
  }

  private map(type: MapType, node: FormNode, path: Path): Record<string, unknown> {
    const out = Object.create(null) as Record<string, unknown>;
    const holder = node.children?.get('entry') ?? {};
    for (const [entry, at] of this.elements(holder, join(path, 'entry'))) {
      const key = entry.children?.get('key')?.value;
      const value = entry.children?.get('value');
      if (key === undefined || value === undefined) this.dialect.invalid(at, '', 'Expected a key and a value.');
      else out[key] = this.value(type.v, value, join(at, 'value'));
    }
    return out;
  }

  private scalar(type: SimpleType, node: FormNode, path: Path): string | number | boolean {
    for (const key of node.children?.keys() ?? []) this.dialect.unknown(join(path, key));
    const text = node.value ?? '';
    switch (type) {
      case 's':
        return text;
      case 'b':
        if (text === 'true' || text === 'false') return text === 'true';
        return this.dialect.invalid(path, text, "Expected 'true' or 'false'.");
      case 'i':
      case 'l':
      case 'd':
        return readNumber(type, text) ?? this.dialect.invalid(path, text, 'Expected a number.');
      case 't':
        return readTimestamp(text) ?? this.dialect.invalid(path, text, 'Expected an ISO 8601 timestamp.');
      case 'x':
        return isBase64(text) ? text : this.dialect.invalid(path, text, 'Expected base64.');
      default:
        throw new Error(`a form cannot hold type ${type}`);
    }
  }
}

/** Parameters that every query request has beside those of its operation. */
const COMMON: readonly string[] = [
  'Action',
  'Version',
  // Leftovers of older signatures, which some clients still add to the form.
  'AWSAccessKeyId',
  'SignatureMethod',
  'SignatureVersion',
  'Timestamp',
];

/**
 * Reads an operation's input out of a form.
 * @throws AwsError UnknownParameter | InvalidParameterValue | MissingParameter (EC2), MalformedInput (STS, IAM)
 */
export const readQueryInput = (model: ServiceModel, shape: string | null, form: FormNode): Record<string, unknown> => {
  const dialect = model.protocol === 'ec2Query' ? ec2Dialect : awsQueryDialect;
  const children = new Map(form.children);
  for (const key of COMMON) children.delete(key);
  if (shape !== null) return new QueryReader(model, dialect).structure(shape, { children }, '');
  for (const key of children.keys()) dialect.unknown(key);
  return {};
};
