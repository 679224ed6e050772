import { BLOCK_BYTES } from '@holdfast/block-wire';

/** Head of a request that puts or gets one block of EBS direct. */
export interface BlockHead {
  readonly method: 'GET' | 'PUT';
  readonly url: string;
  /** Names in lower case; each came once. */
  readonly headers: Readonly<Record<string, string>>;
  /** SHA-256 of the block that follows, base64; null: none follows. */
  readonly checksum: string | null;
}

const REQUEST_LINE = /^(GET|PUT) (\/snapshots\/[!-"$->@-~]+\/blocks\/\d+(?:\?[!-"$-~]*)?) HTTP\/1\.1$/;
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:[!-~](?:[ -~\t]*[!-~])?)?)[ \t]*$/;
/** Of a block's bytes, as its client tells it. */
const SHA256_BASE64 = /^[A-Za-z0-9+/]{43}=$/;
const PUT_PATH = /^\/snapshots\/[^/?]+\/blocks\/\d+$/;

/** What changes how a message is read. */
const FRAMING = ['transfer-encoding', 'trailer', 'upgrade', 'expect', 'te', 'http2-settings', 'proxy-connection'];

/** @returns null: the request is not one that puts a whole block and tells its SHA-256. */
export const promisedChecksum = (
  method: string,
  url: string,
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
): string | null => {
  if (method !== 'PUT' || !PUT_PATH.test(url)) return null;
  const checksum = headers['x-amz-checksum'];
  const isWhole = headers['content-length'] === String(BLOCK_BYTES) && headers['transfer-encoding'] === undefined;
  return isWhole && typeof checksum === 'string' && SHA256_BASE64.test(checksum) ? checksum : null;
};

/**
 * Reads a head that is written in the one plain way that clients of EBS direct write it in: each field once, no folded or
 * unprintable ones, no framing but by a block's own length.
 * @param text without the empty line at its end.
 * @returns null for all else, which may still be a proper request: Node's parser is to say.
 */
export const readBlockHead = (text: string): BlockHead | null => {
  const [requestLine = '', ...lines] = text.split('\r\n');
  const [, method, url = ''] = REQUEST_LINE.exec(requestLine) ?? [];
  if (method !== 'GET' && method !== 'PUT') return null;
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const [, name = '', value = ''] = FIELD.exec(line) ?? [];
    const key = name.toLowerCase();
    if (key === '' || key === '__proto__' || headers[key] !== undefined) return null;
    headers[key] = value;
  }
  const isKept = (headers['connection'] ?? 'keep-alive').toLowerCase() === 'keep-alive';
  if (!isKept || headers['host'] === undefined || FRAMING.some((name) => headers[name] !== undefined)) return null;
  const checksum = promisedChecksum(method, url, headers);
  const hasNoBody = headers['content-length'] === undefined || headers['content-length'] === '0';
  return checksum !== null || (method === 'GET' && hasNoBody) ? { method, url, headers, checksum } : null;
};
