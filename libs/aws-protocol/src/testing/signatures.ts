import type { RawRequest } from '../http-message.ts';
import { deriveSigningKey } from '../sigv4/derive-signing-key.ts';
import { SignatureVerifier } from '../sigv4/signature-verifier.ts';

export const KEY = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' };

/** A verifier that knows one access key. */
export const verifierOf = ({
  sessionToken,
  expiresAt,
  now = () => new Date(),
}: { sessionToken?: string; expiresAt?: Date; now?: () => Date } = {}): SignatureVerifier<string> =>
  new SignatureVerifier<string>({
    now,
    resolve: ({ accessKeyId, date, region, service }) =>
      Promise.resolve(
        accessKeyId === KEY.accessKeyId
          ? {
              signingKey: deriveSigningKey(KEY.secretAccessKey, date, region, service),
              principal: accessKeyId,
              sessionToken,
              expiresAt,
            }
          : null,
      ),
  });

/** The request with one signed thing changed, for each thing there is. */
export function* tampered(
  request: RawRequest,
  { isBodySigned }: { isBodySigned: boolean },
): Generator<[what: string, altered: RawRequest]> {
  const { url, headers, body } = request;
  const [path = '', query = ''] = url.split('?');
  const withQuery = (text: string) => (text === '' ? path : `${path}?${text}`);
  yield ['method', { ...request, method: request.method === 'PATCH' ? 'GET' : 'PATCH' }];
  yield ['path', { ...request, url: `${path.replace(/\/$/, '')}/x${query === '' ? '' : `?${query}`}` }];
  yield ['query added', { ...request, url: withQuery(query === '' ? 'added=1' : `${query}&added=1`) }];
  if (query !== '') {
    const pairs = query.split('&');
    yield ['query dropped', { ...request, url: withQuery(pairs.slice(1).join('&')) }];
  }
  if (isBodySigned) {
    yield ['body longer', { ...request, body: Buffer.concat([body, Buffer.from('x')]) }];
    if (body.length > 0) {
      const flipped = Buffer.from(body);
      flipped[0] = (flipped[0] ?? 0) ^ 1;
      yield ['body', { ...request, body: flipped }];
    }
  }
  yield ['header added', { ...request, headers: { ...headers, 'x-amz-added': '1' } }];
  yield ['host', { ...request, headers: { ...headers, host: 'other.example' } }];
  const authorization = headers['authorization'];
  if (typeof authorization === 'string') {
    const flip = (digit: string) => (digit === '0' ? '1' : '0');
    yield ['signature', { ...request, headers: { ...headers, authorization: authorization.replace(/.$/, flip) } }];
    const names = /SignedHeaders=([^,]+)/.exec(authorization)?.[1]?.split(';') ?? [];
    for (const name of names) {
      yield [`header ${name}`, { ...request, headers: { ...headers, [name]: `${String(headers[name])}x` } }];
      yield [`header ${name} dropped`, { ...request, headers: { ...headers, [name]: undefined } }];
      const fewer = names.filter((n) => n !== name).join(';');
      const unlisted = authorization.replace(/SignedHeaders=[^,]+/, `SignedHeaders=${fewer}`);
      yield [`header ${name} unlisted`, { ...request, headers: { ...headers, authorization: unlisted } }];
    }
  }
}
