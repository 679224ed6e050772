/** A request as it came off the wire. */
export interface RawRequest {
  readonly method: string;
  /** Path and query as in the request line, undecoded. */
  readonly url: string;
  /**
   * Names in lower case. Values as Node decodes them (latin1). Give `IncomingMessage.headersDistinct` rather than
   * `headers`: Node joins repeated headers with a comma and a space, signers sign them with a comma.
   */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Buffer;
  /**
   * Hexadecimal SHA-256 of a body that is still to come and not in `body`. Whoever gives it proves it of the body, and refuses
   * the request where it does not hold.
   */
  readonly promisedSha256?: string;
}

export interface RawResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** What a response needs besides its content. */
export interface ResponseContext {
  /** Sent as `x-amzn-requestid`, and in the body of the XML protocols. */
  readonly requestId: string;
  /** For the `Date` header, from which clients correct their clocks. */
  readonly now: Date;
}

/** All values of a header joined by commas, as signers join them; undefined when absent. */
export const header = (request: RawRequest, name: string): string | undefined => {
  if (!Object.hasOwn(request.headers, name)) return undefined;
  const value = request.headers[name];
  return typeof value === 'string' || value === undefined ? value : value.join(',');
};

export const splitUrl = (url: string): { path: string; query: string } => {
  const withoutFragment = url.split('#', 1)[0] ?? '';
  const at = withoutFragment.indexOf('?');
  return at < 0
    ? { path: withoutFragment, query: '' }
    : { path: withoutFragment.slice(0, at), query: withoutFragment.slice(at + 1) };
};

/** Percent-decodes UTF-8; undefined for a malformed escape or malformed UTF-8. */
export const percentDecode = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
};

/** The pairs of a query string or form, still encoded. */
export function* encodedPairs(text: string): Generator<[key: string, value: string]> {
  for (let start = 0; start < text.length;) {
    const next = text.indexOf('&', start);
    const end = next < 0 ? text.length : next;
    const equals = text.indexOf('=', start);
    if (end > start) {
      if (equals < 0 || equals >= end) yield [text.slice(start, end), ''];
      else yield [text.slice(start, equals), text.slice(equals + 1, end)];
    }
    start = end + 1;
  }
}

/** Query parameters by decoded name; null for a malformed escape. A repeated name keeps its first value. */
export const queryParameters = (query: string): ReadonlyMap<string, string> | null => {
  const found = new Map<string, string>();
  for (const [rawKey, rawValue] of encodedPairs(query)) {
    const [key, value] = [percentDecode(rawKey), percentDecode(rawValue)];
    if (key === undefined || value === undefined) return null;
    if (!found.has(key)) found.set(key, value);
  }
  return found;
};

export const response = (
  status: number,
  contentType: string | undefined,
  body: Buffer,
  { requestId, now }: ResponseContext,
  more: Readonly<Record<string, string>> = {},
): RawResponse => ({
  status,
  headers: {
    'x-amzn-requestid': requestId,
    date: now.toUTCString(),
    ...(contentType !== undefined && { 'content-type': contentType }),
    'content-length': String(body.length),
    ...more,
  },
  body,
});
