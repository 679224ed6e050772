// Generates libs/aws-protocol/src/generated from the schemas of the official JavaScript clients (dev dependencies), the
// operation list libs/aws-protocol/models/operations.json and the constraints committed beside it. Nothing of the clients
// is needed at run time. The clients' schema tuples are documented nowhere, so whatever this does not know stops it.
//   node tools/generate-aws-protocol.mjs           writes the files
//   node tools/generate-aws-protocol.mjs --check   exits 1 when a committed file differs
import { createRequire } from 'node:module';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { clientOfModel } from './aws-service-models.mjs';
import { tableSource, typesSource } from './aws-protocol-sources.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const library = join(root, 'libs/aws-protocol');
const require = createRequire(import.meta.url);
const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

const SERVICES = {
  ec2: { protocol: 'ec2Query', version: '2016-11-15', namespace: 'http://ec2.amazonaws.com/doc/2016-11-15/' },
  kms: { protocol: 'awsJson1_1', version: '2014-11-01', targetPrefix: 'TrentService' },
  sts: { protocol: 'awsQuery', version: '2011-06-15', namespace: 'https://sts.amazonaws.com/doc/2011-06-15/' },
  ebs: { protocol: 'restJson1', version: '2019-11-02' },
  iam: { protocol: 'awsQuery', version: '2010-05-08', namespace: 'https://iam.amazonaws.com/doc/2010-05-08/' },
  // The newest client of it that npm has is older than the service is: its model is committed instead.
  rbin: { protocol: 'restJson1', version: '2021-06-15', model: 'models/services/rbin.json' },
  cloudtrail: { protocol: 'awsJson1_1', version: '2013-11-01', targetPrefix: 'CloudTrail_20131101' },
};

const TRAIT_BITS = [
  'httpLabel',
  'idempotent',
  'idempotencyToken',
  'sensitive',
  'httpPayload',
  'httpResponseCode',
  'httpQueryParams',
];
const KNOWN_TRAITS = new Set([
  ...TRAIT_BITS, 'xmlName', 'ec2QueryName', 'httpHeader', 'httpQuery', 'streaming', 'error', 'httpError', 'awsQueryError', 'http',
]); // prettier-ignore

const fail = (text) => {
  throw new Error(`generate-aws-protocol: ${text}`);
};

const traitsOf = (traits) => {
  const object =
    typeof traits === 'number'
      ? Object.fromEntries(TRAIT_BITS.filter((_, i) => (traits >> i) & 1).map((t) => [t, 1]))
      : traits;
  if (typeof traits === 'number' && traits >> TRAIT_BITS.length) fail(`unknown trait bits ${traits}`);
  for (const name of Object.keys(object)) if (!KNOWN_TRAITS.has(name)) fail(`unknown trait ${name}`);
  return object;
};

/** Follows thunks and [schema, traits] pairs down to a number or a static schema, collecting traits on the way. */
const resolve = (schema, traits = {}) => {
  if (typeof schema === 'function') return resolve(schema(), traits);
  if (!Array.isArray(schema)) return { schema, traits };
  if (schema.length === 2) return resolve(schema[0], { ...traitsOf(schema[1]), ...traits });
  if (schema[0] === 0) return resolve(schema[4], { ...traitsOf(schema[3]), ...traits });
  return { schema, traits };
};

/** Member types as the clients' declarations give them: only there is an enum's name attached to its members. */
const enumLinks = (clientFolder, client) => {
  const folder = join(clientFolder, 'dist-types/ts3.4/models');
  const links = new Map();
  const enums = new Map();
  for (const file of readdirSync(folder).filter((f) => /^(models_\d+|enums)\.d\.ts$/.test(f))) {
    const text = readFileSync(join(folder, file), 'utf8');
    for (const [, name] of text.matchAll(/^export declare const (\w+): \{$/gm)) {
      if (client[name] === undefined) fail(`enum ${name} is declared and not exported`);
      enums.set(name, Object.values(client[name]));
    }
    for (const [, name, body] of text.matchAll(/^export interface (\w+)[^{]*\{\n([\s\S]*?)^\}/gm)) {
      const members = [...body.matchAll(/^ {2}(\w+)\??:\s*([^;]+);/gm)];
      links.set(name, new Map(members.map(([, member, type]) => [member, type])));
    }
  }
  const words = (type) => (type ?? '').match(/\w+/g) ?? [];
  return { enums, of: (struct, member) => words(links.get(struct)?.get(member)).find((word) => enums.has(word)) };
};

class ServiceTables {
  constructor(id, client, links, listed, constraints) {
    Object.assign(this, { id, client, links, listed, constraints, ...SERVICES[id] });
    this.shapes = {};
    this.enums = {};
    this.inputShapes = new Set();
    this.operations = {};
    this.isQuery = this.protocol.endsWith('Query');
    this.allOperations = Object.values(client).filter(
      (s) => Array.isArray(s) && s[0] === 9 && typeof s[2] === 'string',
    );
  }

  build() {
    const all = new Map(this.allOperations.map((schema) => [schema[2], schema]));
    const names = this.listed.operations === '*' ? [...all.keys()].sort() : this.listed.operations;
    for (const name of names) this.addOperation(all.get(name) ?? fail(`${this.id} has no operation ${name}`));
    this.errors = this.errorRows();
    for (const name of this.listed.requiredLeftToService) {
      for (const row of this.shapes[this.operations[name].in].m) delete row.r;
    }
    return this;
  }

  addOperation([, , name, traits, input, output]) {
    const { http } = traitsOf(traits);
    const { readOnly, mutating } = this.listed;
    const reads = (/^(Get|List|Describe|Lookup)/.test(name) || readOnly.includes(name)) && !mutating.includes(name);
    this.operations[name] = {
      in: this.rootShape(input, true),
      out: this.rootShape(output, false),
      ...(reads && { ro: 1 }),
      ...(this.listed.unsignedPayload.includes(name) && { up: 1 }),
      ...(http && { http }),
    };
  }

  rootShape(schema, isInput) {
    const resolved = resolve(schema).schema;
    return resolved === 'unit' ? null : this.struct(resolved, isInput);
  }

  struct(schema, isInput) {
    const [kind, , name, , members, types, required = 0] = schema;
    if (kind !== 3 && kind !== 4) fail(`${name}: schema kind ${kind}`);
    const isNew = this.shapes[name] === undefined || (isInput && !this.inputShapes.has(name));
    if (!isNew) return name;
    if (isInput) this.inputShapes.add(name);
    this.shapes[name] = { m: [] };
    this.shapes[name].m = members.map((member, i) => this.member(name, member, types[i], i < required, isInput));
    return name;
  }

  member(struct, name, type, required, isInput) {
    const { schema, traits } = resolve(type);
    const constraint = this.constraints[struct]?.[name];
    const enumName = this.links.of(struct, name);
    const row = { n: name, t: this.type(schema, constraint, enumName, isInput, `${struct}.${name}`) };
    this.addNames(row, traits);
    if (required) row.r = 1;
    const isScalar = schema === 0;
    if (isScalar && enumName) row.e = this.enum(enumName);
    if (constraint) Object.assign(row, this.limits(constraint));
    if (traits.idempotencyToken) row.tok = 1;
    if (traits.sensitive) row.sen = 1;
    return row;
  }

  /** Form key, XML tag and REST binding, each only where it is not the member's own name. */
  addNames(row, { xmlName, ec2QueryName, httpHeader, httpQuery, httpLabel, httpPayload, streaming }) {
    if (this.isQuery) {
      const tag = xmlName ?? row.n;
      const key = this.protocol === 'awsQuery' ? tag : (ec2QueryName ?? tag[0].toUpperCase() + tag.slice(1));
      if (key !== row.n) row.q = key;
      if (tag !== row.n) row.x = tag;
    }
    if (httpHeader) row.hh = httpHeader.toLowerCase();
    if (httpQuery) row.hq = httpQuery;
    if (httpLabel) row.hl = 1;
    if (httpPayload) row.hp = 1;
    if (streaming) row.t = 'X';
  }

  /** EC2 answers a value out of bounds with a text of the operation's own, so its services check and the tables don't. */
  limits({ min, max, pattern }) {
    if (this.protocol === 'ec2Query') return {};
    return { ...(min !== undefined && { min }), ...(max !== undefined && { max }), ...(pattern && { p: pattern }) };
  }

  enum(name) {
    this.enums[name] = this.links.enums.get(name);
    return name;
  }

  type(schema, constraint, enumName, isInput, where) {
    if (typeof schema === 'number') return this.simpleType(schema, constraint, enumName, where);
    const [kind, , name] = schema;
    if (kind === 3 || kind === 4) return `@${this.struct(schema, isInput)}`;
    if (kind === 1) return this.listType(resolve(schema[4]), constraint, enumName, isInput, where);
    if (kind === 2) return this.mapType(resolve(schema[4]), resolve(schema[5]), constraint, isInput, where);
    return fail(`${where}: schema kind ${kind} of ${name}`);
  }

  simpleType(code, constraint, enumName, where) {
    if (code & 64) return this.listType({ schema: code & 63, traits: {} }, constraint, enumName, false, where);
    if (code & 128)
      return this.mapType({ schema: 0, traits: {} }, { schema: code & 63, traits: {} }, constraint, false, where);
    const number = { integer: 'i', long: 'l', float: 'd', double: 'd' }[constraint?.number ?? 'long'];
    return { 0: 's', 1: number, 2: 'b', 4: 't', 21: 'x', 42: 'X' }[code] ?? fail(`${where}: simple type ${code}`);
  }

  listType({ schema, traits }, constraint, enumName, isInput, where) {
    const element = this.type(schema, constraint?.l, enumName, isInput, where);
    return {
      l: element,
      ...(this.isQuery && traits.xmlName && traits.xmlName !== 'member' && { x: traits.xmlName }),
      ...(element === 's' && enumName && { e: this.enum(enumName) }),
      ...(constraint?.l && this.limits(constraint.l)),
    };
  }

  mapType(key, value, constraint, isInput, where) {
    if (key.schema !== 0 || key.traits.xmlName || value.traits.xmlName)
      fail(`${where}: map with unusual keys or names`);
    return {
      v: this.type(value.schema, constraint?.v, undefined, isInput, where),
      ...(constraint?.k && { kc: this.limits(constraint.k) }),
      ...(constraint?.v && { vc: this.limits(constraint.v) }),
    };
  }

  /** Modelled errors: wire code and HTTP status; EC2 models none. */
  errorRows() {
    const rows = {};
    for (const schema of Object.values(this.client)) {
      if (!Array.isArray(schema) || schema[0] !== -3 || typeof schema[2] !== 'string') continue;
      const { httpError, awsQueryError, error } = traitsOf(schema[3]);
      if (error === undefined) continue;
      const [code, status] = awsQueryError ?? [schema[2], httpError ?? (error === 'server' ? 500 : 400)];
      rows[code] = status;
    }
    return Object.fromEntries(Object.entries(rows).sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}

const clientOf = (id) => {
  const { model } = SERVICES[id];
  if (model !== undefined) return clientOfModel(id, readJson(join(library, model)));
  const entry = require.resolve(`@aws-sdk/client-${id}`);
  const client = require(entry);
  return { client, links: enumLinks(dirname(dirname(entry)), client) };
};

const generateService = (id, listed) => {
  const { client, links } = clientOf(id);
  const constraints = readJson(join(library, 'models/constraints', `${id}.json`));
  const tables = new ServiceTables(id, client, links, listed, constraints).build();
  return [
    [`${id}.tables.ts`, tableSource(tables)],
    [`${id}.types.ts`, typesSource(tables)],
  ];
};

const listed = readJson(join(library, 'models/operations.json'));
const files = Object.keys(SERVICES).flatMap((id) => generateService(id, listed[id] ?? fail(`no list for ${id}`)));
const folder = join(library, 'src/generated');
const expected = new Set(files.map(([name]) => name));
const stale = readdirSync(folder).filter((name) => !expected.has(name));
for (const [name, source] of files) {
  const path = join(folder, name);
  if (existsSync(path) && readFileSync(path, 'utf8') === source) continue;
  stale.push(name);
  if (!process.argv.includes('--check')) writeFileSync(path, source);
}
if (process.argv.includes('--check') && stale.length > 0) {
  console.error(`stale: ${stale.join(', ')} in libs/aws-protocol/src/generated; run npm run generate`);
  process.exitCode = 1;
}
