import { writeTimestamp } from './scalars.ts';
import { isList, isMap, type ListType, type MapType, type ServiceModel, type SimpleType } from './service-model.ts';
import { structureName, type TypeRow } from './service-model.ts';
import { shapeRow } from './services.ts';

type Writer = (value: unknown) => string;

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '\r': '&#xD;', // A bare one would become a line feed in every parser.
};
const SPECIAL = /[&<>"'\r]/g;
const NOT_XML = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu;

/** Most texts need nothing, and finding that out this way is ten times faster than replacing nothing. */
const UNUSUAL = /[&<>"'\r\u0000-\u0008\u000B\u000C\u000E-\u001F\uD800-\uDFFF\uFFFE\uFFFF]/;

/** Text for an element; characters that XML 1.0 cannot carry become U+FFFD. */
export const escapeXml = (text: string): string =>
  UNUSUAL.test(text) ? text.replace(NOT_XML, '\uFFFD').replace(SPECIAL, (c) => ENTITIES[c] ?? c) : text;

const element = (tag: string, content: string): string =>
  content === '' ? `<${tag}/>` : `<${tag}>${content}</${tag}>`;

const fault = (tag: string, value: unknown) =>
  new TypeError(`an answer has ${value === null ? 'null' : typeof value} at ${tag}`);

/** Writers of one service's shapes, made when first needed. */
class XmlWriters {
  private readonly structures = new Map<string, Writer>();
  constructor(private readonly model: ServiceModel) {}

  structure(name: string): Writer {
    const made = this.structures.get(name);
    if (made !== undefined) return made;
    // Registered before its members are made: a shape may contain itself.
    let write: Writer = () => '';
    const writer: Writer = (value) => write(value);
    this.structures.set(name, writer);
    const members = shapeRow(this.model, name).m.map((row) => {
      const tag = row.x ?? row.n;
      return { name: row.n, tag, write: this.value(row.t, tag) };
    });
    write = (value) => {
      if (typeof value !== 'object' || value === null) throw fault(name, value);
      const held = value as Readonly<Record<string, unknown>>;
      let text = '';
      for (const member of members) {
        const part = held[member.name];
        if (part !== undefined && part !== null) text += element(member.tag, member.write(part));
      }
      return text;
    };
    return writer;
  }

  private value(type: TypeRow, tag: string): Writer {
    if (isList(type)) return this.list(type, tag);
    if (isMap(type)) return this.map(type, tag);
    const shape = structureName(type);
    return shape === undefined ? scalarWriter(type as SimpleType, tag) : this.structure(shape);
  }

  private list(type: ListType, tag: string): Writer {
    const item = type.x ?? 'member';
    const write = this.value(type.l, tag);
    return (value) => {
      if (!Array.isArray(value)) throw fault(tag, value);
      let text = '';
      for (const part of value as readonly unknown[]) text += element(item, write(part));
      return text;
    };
  }

  private map(type: MapType, tag: string): Writer {
    const write = this.value(type.v, tag);
    return (value) => {
      if (typeof value !== 'object' || value === null) throw fault(tag, value);
      return Object.entries(value)
        .map(([key, part]) => `<entry>${element('key', escapeXml(key))}${element('value', write(part))}</entry>`)
        .join('');
    };
  }
}

const scalarWriter = (type: SimpleType, tag: string): Writer => {
  const typed =
    <T>(name: 'string' | 'number' | 'boolean', write: (value: T) => string): Writer =>
    (value) => {
      if (typeof value !== name) throw fault(tag, value);
      return write(value as T);
    };
  switch (type) {
    case 's':
    case 'x':
      return typed('string', escapeXml);
    case 'b':
    case 'i':
    case 'l':
    case 'd':
      return typed(type === 'b' ? 'boolean' : 'number', String);
    case 't':
      return typed('string', writeTimestamp);
    default:
      throw new Error(`XML cannot hold type ${type}`);
  }
};

const writers = new WeakMap<ServiceModel, XmlWriters>();

/**
 * The children of an output's element. Undefined is omitted; an empty list or text is an empty element.
 * @throws TypeError or RangeError when the value is not of the shape
 */
export const writeXml = (model: ServiceModel, shape: string, value: unknown): string => {
  let made = writers.get(model);
  if (made === undefined) {
    made = new XmlWriters(model);
    writers.set(model, made);
  }
  return made.structure(shape)(value);
};

export { element };
