// Reads a service's model in the form in which botocore publishes it, for services whose current official JavaScript client
// cannot be had, and gives what generate-aws-protocol.mjs takes from such a client: schema tuples and enum links.

const SIMPLE = {
  string: 0,
  character: 0,
  integer: 1,
  long: 1,
  float: 1,
  double: 1,
  boolean: 2,
  timestamp: 4,
  blob: 21,
};

const fail = (text) => {
  throw new Error(`aws-service-models: ${text}`);
};

/** Where a REST member goes that is not in the body. */
const bindingOf = ({ location, locationName }, name) => {
  switch (location) {
    case undefined:
      return {};
    case 'uri':
      return { httpLabel: 1 };
    case 'querystring':
      return { httpQuery: locationName ?? name };
    case 'header':
      return { httpHeader: locationName ?? name };
    default:
      return fail(`location ${location}`);
  }
};

/** Path labels are written as the model's members are. */
const labelled = (uri, members) =>
  uri.replace(/\{(\w+)\}/g, (_, label) => {
    const found = Object.entries(members).find(([name, m]) => (m.locationName ?? name) === label);
    return `{${found === undefined ? fail(`no member for label ${label}`) : found[0]}}`;
  });

/** @returns schemas by name as a client exports them, and enum links as its declarations give them. */
export const clientOfModel = (id, { metadata, operations, shapes }) => {
  if (metadata.protocol !== 'rest-json') fail(`${id}: protocol ${metadata.protocol}`);
  const namespace = `com.amazonaws.${id}`;
  const schemas = {};
  const enums = new Map();
  const schemaOf = (name) => {
    const shape = shapes[name] ?? fail(`no shape ${name}`);
    if (shape.enum !== undefined) enums.set(name, shape.enum);
    if (shape.type === 'structure') return () => structure(name);
    if (shape.type === 'list') return [1, namespace, name, 0, schemaOf(shape.member.shape)];
    return SIMPLE[shape.type] ?? fail(`${name}: type ${shape.type}`);
  };
  const structure = (name) => {
    const { members, required = [], exception, error, fault } = shapes[name];
    if (schemas[`${name}$`] !== undefined) return schemas[`${name}$`];
    const names = [...required, ...Object.keys(members).filter((member) => !required.includes(member))];
    const traits = exception ? { error: fault ? 'server' : 'client', httpError: error.httpStatusCode } : 0;
    const schema = [exception ? -3 : 3, namespace, name, traits, names, [], required.length];
    schemas[`${name}$`] = schema;
    schema[5] = names.map((member) => {
      const traitsOf = { ...bindingOf(members[member], member) };
      if (members[member].idempotencyToken) traitsOf.idempotencyToken = 1;
      const type = schemaOf(members[member].shape);
      return Object.keys(traitsOf).length === 0 && typeof type !== 'function' ? type : [type, traitsOf];
    });
    return schema;
  };
  for (const [name, { http, input, output, errors = [] }] of Object.entries(operations)) {
    const path = labelled(http.requestUri, shapes[input?.shape]?.members ?? {});
    const traits = { http: [http.method, path, http.responseCode ?? 200] };
    const end = (shape) => (shape === undefined ? 'unit' : structure(shape.shape));
    schemas[`${name}$operation`] = [9, namespace, name, traits, end(input), end(output)];
    for (const { shape } of errors) structure(shape);
  }
  const of = (struct, member) => {
    const shape = shapes[struct]?.members?.[member]?.shape;
    if (shape === undefined) return undefined;
    const element = shapes[shape].type === 'list' ? shapes[shape].member.shape : shape;
    return enums.has(element) ? element : undefined;
  };
  return { client: schemas, links: { enums, of } };
};
