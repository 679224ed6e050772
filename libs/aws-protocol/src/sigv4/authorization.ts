import { header, queryParameters, splitUrl, type RawRequest } from '../http-message.ts';
import { AuthenticationFailure } from './failures.ts';

export interface Credential {
  readonly accessKeyId: string;
  /** `YYYYMMDD` in UTC. */
  readonly date: string;
  readonly region: string;
  readonly service: string;
}

/** What a request claims about its signature. Nothing of it is verified yet. */
export interface Authorization {
  readonly credential: Credential;
  /** `<date>/<region>/<service>/aws4_request` */
  readonly scope: string;
  /** Lower case, in the order signed. */
  readonly signedHeaders: readonly string[];
  /** Lower-case hexadecimal of 32 bytes. */
  readonly signature: string;
  readonly signedAt: Date;
  /** `YYYYMMDD'T'HHMMSS'Z'` of `signedAt`, as it was signed. */
  readonly timestamp: string;
  readonly sessionToken?: string;
  /** Seconds; only presigned requests have it. */
  readonly expiresSeconds?: number;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';
const MAX_EXPIRES_SECONDS = 604_800;
const SIGNATURE = /^[0-9a-f]{64}$/;
const TIMESTAMP = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/;
const HEADER_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;

const malformed = (message: string) => new AuthenticationFailure('malformed', message);

const parseCredential = (text: string): { credential: Credential; scope: string } => {
  const parts = text.split('/');
  const [accessKeyId = '', date = '', region = '', service = '', terminator] = parts;
  const isWhole = parts.length === 5 && /^\w{1,128}$/.test(accessKeyId) && /^[a-z0-9-]{1,64}$/.test(region);
  if (!isWhole || !/^\d{8}$/.test(date) || service === '' || terminator !== 'aws4_request') {
    throw malformed(
      'Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/aws4_request.',
    );
  }
  return { credential: { accessKeyId, date, region, service }, scope: parts.slice(1).join('/') };
};

const parseSignedHeaders = (text: string): readonly string[] => {
  const names = text.split(';');
  if (!names.every((name) => HEADER_NAME.test(name)) || new Set(names).size !== names.length) {
    throw malformed('SignedHeaders is malformed.');
  }
  return names;
};

const parseSignature = (text: string): string => {
  if (!SIGNATURE.test(text)) throw malformed('Signature is malformed.');
  return text;
};

/** A basic ISO-8601 or, for the Date header, an RFC 7231 date. */
const parseDate = (text: string): { signedAt: Date; timestamp: string } => {
  const parts = TIMESTAMP.exec(text);
  const iso = parts === null ? undefined : `${parts.slice(1, 4).join('-')}T${parts.slice(4).join(':')}Z`;
  const signedAt = new Date(iso ?? (/^[A-Z][a-z]{2}, /.test(text) ? text : Number.NaN));
  if (Number.isNaN(signedAt.getTime())) throw malformed(`Date must be in ISO-8601 'basic format'. Got '${text}'.`);
  return { signedAt, timestamp: iso === undefined ? basicTimestamp(signedAt) : text };
};

/** `YYYYMMDD'T'HHMMSS'Z'` */
export const basicTimestamp = (date: Date): string => date.toISOString().replace(/[-:]|\.\d{3}/g, '');

const ofHeader = (request: RawRequest, authorization: string): Authorization => {
  if (!authorization.startsWith(`${ALGORITHM} `)) throw malformed(`Unsupported algorithm; ${ALGORITHM} is required.`);
  const fields = new Map<string, string>();
  for (const field of authorization.slice(ALGORITHM.length).split(',')) {
    const [, name, value] = /^\s*(\w+)=(\S*)\s*$/.exec(field) ?? [];
    if (name === undefined || value === undefined || fields.has(name))
      throw malformed('Authorization header is malformed.');
    fields.set(name, value);
  }
  const field = (name: string): string => {
    const value = fields.get(name);
    if (value === undefined) throw malformed(`Authorization header requires '${name}' parameter.`);
    return value;
  };
  const date = header(request, 'x-amz-date') ?? header(request, 'date');
  if (date === undefined)
    throw malformed("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.");
  return {
    ...parseCredential(field('Credential')),
    signedHeaders: parseSignedHeaders(field('SignedHeaders')),
    signature: parseSignature(field('Signature')),
    ...parseDate(date),
    sessionToken: header(request, 'x-amz-security-token'),
  };
};

const ofQuery = (query: ReadonlyMap<string, string>): Authorization => {
  const field = (name: string): string => {
    const value = query.get(name);
    if (value === undefined) throw malformed(`AWS query-string parameters must include '${name}'.`);
    return value;
  };
  if (field('X-Amz-Algorithm') !== ALGORITHM) throw malformed(`Unsupported algorithm; ${ALGORITHM} is required.`);
  const expires = field('X-Amz-Expires');
  const expiresSeconds = /^\d{1,6}$/.test(expires) ? Number(expires) : 0;
  if (expiresSeconds < 1 || expiresSeconds > MAX_EXPIRES_SECONDS) {
    throw malformed(`X-Amz-Expires must be between 1 and ${String(MAX_EXPIRES_SECONDS)} seconds.`);
  }
  return {
    ...parseCredential(field('X-Amz-Credential')),
    signedHeaders: parseSignedHeaders(field('X-Amz-SignedHeaders')),
    signature: parseSignature(field('X-Amz-Signature')),
    ...parseDate(field('X-Amz-Date')),
    sessionToken: query.get('X-Amz-Security-Token'),
    expiresSeconds,
  };
};

/** Query parameters that stand for a signature; one may not come twice, or verifier and handler could read different ones. */
const checkedQuery = (request: RawRequest): ReadonlyMap<string, string> => {
  const { query } = splitUrl(request.url);
  const parameters = queryParameters(query);
  if (parameters === null) throw malformed('The query string contains a malformed escape.');
  const names = query.split('&').flatMap((pair) => {
    const name = pair.split('=', 1)[0] ?? '';
    return /^x-amz-/i.test(name) ? [name] : [];
  });
  if (new Set(names).size !== names.length) throw malformed('A query parameter of the signature is given twice.');
  return parameters;
};

/** @throws AuthenticationFailure missing | malformed */
export const readAuthorization = (request: RawRequest): Authorization => {
  const authorization = header(request, 'authorization');
  const query = checkedQuery(request);
  const isPresigned = query.has('X-Amz-Algorithm') || query.has('X-Amz-Signature');
  if (authorization !== undefined && isPresigned) throw malformed('Only one mechanism of authentication is allowed.');
  if (authorization === undefined && !isPresigned) throw new AuthenticationFailure('missing');
  const read = authorization === undefined ? ofQuery(query) : ofHeader(request, authorization);
  if (read.timestamp.slice(0, 8) !== read.credential.date) {
    throw malformed(`Date in Credential scope does not match the request's date.`);
  }
  return read;
};
