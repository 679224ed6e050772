import { encodedPairs, header, percentDecode, splitUrl, type RawRequest } from '../http-message.ts';
import { AuthenticationFailure } from './failures.ts';

const RESERVED = /[^A-Za-z0-9\-._~]/g;

/** Percent-encodes the UTF-8 bytes of all but RFC 3986's unreserved characters. */
const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

/** The same for a text of bytes (latin1), which is what Node makes of a request line. */
const encodeBytes = (bytes: string): string =>
  bytes.replace(RESERVED, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);

/**
 * The path as signers see it: dot segments and repeated slashes removed (RFC 3986 §5.2.4), then the wire's path encoded
 * once more. (S3 alone does neither.)
 */
export const canonicalPath = (path: string): string => {
  const kept: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') kept.pop();
    else if (segment !== '' && segment !== '.') kept.push(segment);
  }
  if (kept.length === 0) return '/';
  return `/${kept.map(encodeBytes).join('/')}${path.endsWith('/') ? '/' : ''}`;
};

/** Decoded, encoded anew and sorted, without the signature itself. */
export const canonicalQuery = (query: string): string => {
  const pairs: [string, string][] = [];
  for (const [rawKey, rawValue] of encodedPairs(query)) {
    const [key, value] = [percentDecode(rawKey), percentDecode(rawValue)];
    if (key === undefined || value === undefined) throw new AuthenticationFailure('badSignature');
    if (key !== 'X-Amz-Signature') pairs.push([encode(key), encode(value)]);
  }
  const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  return pairs
    .sort(([k1, v1], [k2, v2]) => compare(k1, k2) || compare(v1, v2))
    .map(([k, v]) => `${k}=${v}`)
    .join('&');
};

/** ASCII only: `\s` and trim() would also take the byte A0 out of the middle of a UTF-8 character. */
const SPACES = /[\t\n\v\f\r ]+/g;

/** Values of one header, each trimmed and its runs of white space made one space, joined by commas. */
const canonicalHeader = (request: RawRequest, name: string): string => {
  const value = request.headers[name];
  const values = typeof value === 'string' ? [value] : (value ?? []);
  return values.map((v) => v.replace(SPACES, ' ').replace(/^ | $/g, '')).join(',');
};

/** To be hashed as latin1: header values are the bytes of the wire, all else is ASCII. */
export const canonicalRequest = (
  request: RawRequest,
  signedHeaders: readonly string[],
  payloadHash: string,
): string => {
  const { path, query } = splitUrl(request.url);
  for (const name of signedHeaders) {
    if (header(request, name) === undefined) throw new AuthenticationFailure('badSignature');
  }
  return [
    request.method,
    canonicalPath(path),
    canonicalQuery(query),
    ...signedHeaders.map((name) => `${name}:${canonicalHeader(request, name)}`),
    '',
    signedHeaders.join(';'),
    payloadHash,
  ].join('\n');
};
