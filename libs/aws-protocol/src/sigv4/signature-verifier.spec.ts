import { createHash, createHmac } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import type { RawRequest } from '../http-message.ts';
import { KEY, verifierOf } from '../testing/signatures.ts';
import { canonicalPath, canonicalQuery } from './canonical-request.ts';
import { deriveSigningKey } from './derive-signing-key.ts';
import { SignatureVerifier, type SigningKey } from './signature-verifier.ts';

const SIGNED_AT = '20240101T120000Z';
const at = (time: string) => () => new Date(time);
const NOON = '2024-01-01T12:00:00Z';
const SERVICES = ['ec2', 'sts', 'kms', 'ebs'] as const;

interface Variant {
  service?: string;
  method?: string;
  url?: string;
  headers?: Record<string, string>;
  /** Headers sent and not signed. */
  unsigned?: Record<string, string>;
  omitHost?: boolean;
  body?: string;
  secret?: string;
  payloadHash?: string;
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** Signs by the letter of the specification, independently of the verifier's code. `url` must be canonical already. */
const sign = (variant: Variant = {}): RawRequest => {
  const { service = 'ec2', method = 'POST', url = '/', body = 'Action=X', secret = KEY.secretAccessKey } = variant;
  const headers: Record<string, string> = { host: 'h', 'x-amz-date': SIGNED_AT, ...variant.headers };
  const names = Object.keys(headers)
    .filter((name) => !(variant.omitHost === true && name === 'host'))
    .sort();
  const [path = '/', query = ''] = url.split('?');
  const hash = variant.payloadHash ?? headers['x-amz-content-sha256'] ?? sha256(body);
  const lines = names.map((name) => `${name}:${headers[name] ?? ''}`);
  const canonical = [method, path, query, ...lines, '', names.join(';'), hash].join('\n');
  const scope = `20240101/eu-central-1/${service}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', SIGNED_AT, scope, sha256(canonical)].join('\n');
  const key = deriveSigningKey(secret, '20240101', 'eu-central-1', service);
  const signature = createHmac('sha256', key).update(toSign).digest('hex');
  const authorization = `AWS4-HMAC-SHA256 Credential=${KEY.accessKeyId}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`;
  return { method, url, headers: { ...headers, ...variant.unsigned, authorization }, body: Buffer.from(body) };
};

/** `code status` of the refusal. */
const refusalOf = async (request: RawRequest, options: Parameters<typeof verifierOf>[0] = {}): Promise<string> => {
  try {
    await verifierOf({ now: at(NOON), ...options }).authenticate(request);
  } catch (error) {
    const { name, code, status } = error as { name: string; code: string; status: number };
    expect(name).toBe('AwsError');
    return `${code} ${String(status)}`;
  }
  throw new Error('accepted');
};

describe('a signature', () => {
  it("derives Amazon's published example of a signing key", () => {
    const key = deriveSigningKey('wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY', '20120215', 'us-east-1', 'iam');
    expect(key.export().toString('hex')).toBe('f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d');
  });

  it('that holds names the caller', async () => {
    const caller = await verifierOf({ now: at(NOON) }).authenticate(sign());
    expect(caller).toEqual({
      principal: KEY.accessKeyId,
      accessKeyId: KEY.accessKeyId,
      region: 'eu-central-1',
      service: 'ec2',
      isPresigned: false,
    });
  });

  it.each([
    ['ec2', 'MissingAuthenticationToken 403'],
    ['sts', 'MissingAuthenticationToken 403'],
    ['kms', 'MissingAuthenticationTokenException 400'],
    ['ebs', 'MissingAuthenticationTokenException 403'],
  ])('that is absent is missed by %s', async (service, expected) => {
    const hints: Record<string, Partial<RawRequest>> = {
      ec2: { body: Buffer.from('Action=X&Version=2016-11-15') },
      sts: { body: Buffer.from('Action=X&Version=2011-06-15') },
      kms: { headers: { host: 'h', 'x-amz-target': 'TrentService.ListKeys' } },
      ebs: { method: 'GET', url: '/snapshots/snap-1/blocks' },
    };
    const bare = { method: 'POST', url: '/', headers: { host: 'h' }, body: Buffer.alloc(0) };
    expect(await refusalOf({ ...bare, ...hints[service] })).toBe(expected);
  });

  const by = (codes: readonly string[]) => SERVICES.map((service, i) => [service, codes[i] ?? ''] as const);

  it.each(
    by([
      'AuthFailure 401',
      'SignatureDoesNotMatch 403',
      'InvalidSignatureException 400',
      'InvalidSignatureException 403',
    ]),
  )('by another secret is refused by %s', async (service, expected) => {
    expect(await refusalOf(sign({ service, secret: 'other' }))).toBe(expected);
  });

  it.each(
    by([
      'AuthFailure 401',
      'InvalidClientTokenId 403',
      'UnrecognizedClientException 400',
      'UnrecognizedClientException 403',
    ]),
  )('by an unknown key is refused by %s', async (service, expected) => {
    const request = sign({ service });
    const authorization = String(request.headers['authorization']).replace(KEY.accessKeyId, 'AKIDOTHER');
    expect(await refusalOf({ ...request, headers: { ...request.headers, authorization } })).toBe(expected);
  });

  it.each(
    by([
      'RequestExpired 400',
      'SignatureDoesNotMatch 403',
      'InvalidSignatureException 400',
      'InvalidSignatureException 403',
    ]),
  )('of more than 15 minutes ago or ahead is refused by %s', async (service, expected) => {
    expect(await refusalOf(sign({ service }), { now: at('2024-01-01T12:15:00.001Z') })).toBe(expected);
    expect(await refusalOf(sign({ service }), { now: at('2024-01-01T11:44:59.999Z') })).toBe(expected);
    await verifierOf({ now: at('2024-01-01T12:15:00Z') }).authenticate(sign({ service }));
    await verifierOf({ now: at('2024-01-01T11:45:00Z') }).authenticate(sign({ service }));
  });

  it.each(by(['RequestExpired 400', 'ExpiredToken 403', 'ExpiredTokenException 400', 'ExpiredTokenException 403']))(
    'under an expired session is refused by %s',
    async (service, expected) => {
      const request = sign({ service, headers: { 'x-amz-security-token': 'T' } });
      expect(await refusalOf(request, { sessionToken: 'T', expiresAt: new Date(NOON) })).toBe(expected);
    },
  );

  it.each(
    by([
      'IncompleteSignature 400',
      'IncompleteSignature 400',
      'IncompleteSignatureException 400',
      'IncompleteSignatureException 403',
    ]),
  )('that is malformed is refused by %s', async (service, expected) => {
    const request = sign({ service });
    const good = String(request.headers['authorization']);
    const variants = [
      good.replace('/aws4_request', ''),
      good.replace('aws4_request', 'aws3_request'),
      good.replace(/Signature=\w+/, 'Signature=00'),
      good.replace(/, Signature=\w+/, ''),
      good.replace('SignedHeaders=host;x-amz-date', 'SignedHeaders='),
      good.replace('SignedHeaders=host;', 'SignedHeaders=host;host;'),
      good.replace('AWS4-HMAC-SHA256', 'AWS4-ECDSA-P256-SHA256'),
      `${good}, Signature=${'0'.repeat(64)}`,
    ];
    for (const authorization of variants) {
      expect(await refusalOf({ ...request, headers: { ...request.headers, authorization } }), authorization).toBe(
        expected,
      );
    }
  });

  it('without the host is refused', async () => {
    expect(await refusalOf(sign({ omitHost: true }))).toBe('IncompleteSignature 400');
  });

  it('beside an unsigned x-amz header is refused', async () => {
    expect(await refusalOf(sign({ unsigned: { 'x-amz-target': 'TrentService.DisableKey' } }))).toBe('AuthFailure 401');
  });

  it('needs the token of a temporary key, and none for a lasting one', async () => {
    const withToken = (token: string) => sign({ headers: { 'x-amz-security-token': token } });
    await verifierOf({ now: at(NOON), sessionToken: 'T' }).authenticate(withToken('T'));
    expect(await refusalOf(withToken('U'), { sessionToken: 'T' })).toBe('AuthFailure 401');
    expect(await refusalOf(sign(), { sessionToken: 'T' })).toBe('AuthFailure 401');
    expect(await refusalOf(withToken('T'))).toBe('AuthFailure 401');
  });

  it('may leave the body out only where the operation says so', async () => {
    const headers = { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' };
    const put = sign({ service: 'ebs', method: 'PUT', url: '/snapshots/snap-1/blocks/0', headers });
    await verifierOf({ now: at(NOON) }).authenticate(put);
    await verifierOf({ now: at(NOON) }).authenticate({ ...put, body: Buffer.from('anything') });
    expect(await refusalOf(sign({ headers }))).toBe('AuthFailure 401');
    expect(await refusalOf(sign({ service: 'ebs', method: 'POST', url: '/snapshots', headers }))).toBe(
      'InvalidSignatureException 403',
    );
  });

  it('of a hash that is not the body’s is refused, chunked ones too', async () => {
    for (const hash of [sha256('other'), 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD', '']) {
      expect(await refusalOf(sign({ headers: { 'x-amz-content-sha256': hash } })), hash).toBe('AuthFailure 401');
    }
  });

  it('of another day than its scope, or in header and URL at once, is refused', async () => {
    const request = sign();
    const authorization = String(request.headers['authorization']);
    const otherDay = { ...request.headers, authorization: authorization.replace('/20240101/', '/20240102/') };
    expect(await refusalOf({ ...request, headers: otherDay })).toBe('IncompleteSignature 400');
    expect(await refusalOf({ ...request, url: '/?X-Amz-Signature=0' })).toBe('IncompleteSignature 400');
  });

  it('says when it expired', async () => {
    const call = verifierOf({ now: at('2024-01-01T13:00:00Z') }).authenticate(sign({ service: 'kms' }));
    const text =
      'Signature expired: 20240101T120000Z is now earlier than 20240101T124500Z (20240101T130000Z - 15 min.)';
    await expect(call).rejects.toMatchObject({ message: text });
  });
});

describe('a presigned URL', () => {
  const presign = (expires: string): RawRequest => {
    const scope = '20240101/eu-central-1/sts/aws4_request';
    const query = [
      'Action=GetCallerIdentity',
      'X-Amz-Algorithm=AWS4-HMAC-SHA256',
      `X-Amz-Credential=${encodeURIComponent(`${KEY.accessKeyId}/${scope}`)}`,
      `X-Amz-Date=${SIGNED_AT}`,
      `X-Amz-Expires=${expires}`,
      'X-Amz-SignedHeaders=host',
    ].join('&');
    const canonical = ['GET', '/', query, 'host:h', '', 'host', sha256('')].join('\n');
    const toSign = ['AWS4-HMAC-SHA256', SIGNED_AT, scope, sha256(canonical)].join('\n');
    const key = deriveSigningKey(KEY.secretAccessKey, '20240101', 'eu-central-1', 'sts');
    const signature = createHmac('sha256', key).update(toSign).digest('hex');
    return {
      method: 'GET',
      url: `/?${query}&X-Amz-Signature=${signature}`,
      headers: { host: 'h' },
      body: Buffer.alloc(0),
    };
  };

  it('holds for as long as it says, beyond the usual skew', async () => {
    const caller = await verifierOf({ now: at('2024-01-01T13:00:00Z') }).authenticate(presign('3600'));
    expect(caller).toMatchObject({ service: 'sts', isPresigned: true });
    expect(await refusalOf(presign('3600'), { now: at('2024-01-01T13:00:01Z') })).toBe('SignatureDoesNotMatch 403');
  });

  it.each(['0', '604801', '-1', '1e3', ''])('that should hold for %j seconds is refused', async (expires) => {
    expect(await refusalOf(presign(expires))).toBe('IncompleteSignature 400');
  });

  it('with a signature parameter given twice is refused', async () => {
    const request = presign('60');
    expect(await refusalOf({ ...request, url: `${request.url}&X-Amz-Expires=60` })).toBe('IncompleteSignature 400');
  });
});

describe('signing keys', () => {
  const found = (): SigningKey<string> => ({
    signingKey: deriveSigningKey(KEY.secretAccessKey, '20240101', 'eu-central-1', 'ec2'),
    principal: 'p',
  });

  it('are asked for once, until they are forgotten or too old', async () => {
    let now = new Date(NOON);
    const resolve = vi.fn(() => Promise.resolve(found()));
    const verifier = new SignatureVerifier<string>({ resolve, now: () => now, cacheMs: 1000 });
    await Promise.all([verifier.authenticate(sign()), verifier.authenticate(sign())]);
    expect(resolve).toHaveBeenCalledTimes(1);
    expect(resolve).toHaveBeenCalledWith({
      accessKeyId: KEY.accessKeyId,
      date: '20240101',
      region: 'eu-central-1',
      service: 'ec2',
    });
    verifier.forget('another');
    await verifier.authenticate(sign());
    expect(resolve).toHaveBeenCalledTimes(1);
    verifier.forget(KEY.accessKeyId);
    await verifier.authenticate(sign());
    expect(resolve).toHaveBeenCalledTimes(2);
    now = new Date(now.getTime() + 1000);
    await verifier.authenticate(sign());
    expect(resolve).toHaveBeenCalledTimes(3);
    now = new Date(now.getTime() - 5000);
    await verifier.authenticate(sign());
    expect(resolve).toHaveBeenCalledTimes(4);
  });

  it('that were absent, or whose resolver failed, are asked for again', async () => {
    const resolve = vi
      .fn<() => Promise<SigningKey<string> | null>>()
      .mockRejectedValueOnce(new Error('identity is down'))
      .mockResolvedValueOnce(null)
      .mockResolvedValueOnce(found());
    const verifier = new SignatureVerifier<string>({ resolve, now: at(NOON) });
    await expect(verifier.authenticate(sign())).rejects.toThrow('identity is down');
    await expect(verifier.authenticate(sign())).rejects.toMatchObject({ code: 'AuthFailure' });
    await verifier.authenticate(sign());
  });

  it('are bounded in number', async () => {
    const resolve = vi.fn(() => Promise.resolve(found()));
    const verifier = new SignatureVerifier<string>({ resolve, now: at(NOON), cacheEntries: 1 });
    await verifier.authenticate(sign());
    await expect(verifier.authenticate(sign({ service: 'sts' }))).rejects.toMatchObject({ name: 'AwsError' });
    await verifier.authenticate(sign());
    expect(resolve).toHaveBeenCalledTimes(3);
  });
});

describe('canonical forms', () => {
  it.each([
    ['', '/'],
    ['/', '/'],
    ['//a//b/', '/a/b/'],
    ['/a/./b/../c', '/a/c'],
    ['/..', '/'],
    ['/a%20b', '/a%2520b'],
    ['/a~b', '/a~b'],
  ])('of the path %j is %j', (path, expected) => {
    expect(canonicalPath(path)).toBe(expected);
  });
  it.each([
    ['', ''],
    ['b=2&a=1&a=0', 'a=0&a=1&b=2'],
    ['a', 'a='],
    ['a=%7e%2F', 'a=~%2F'],
    ['X-Amz-Signature=1&a=1', 'a=1'],
  ])('of the query %j is %j', (query, expected) => {
    expect(canonicalQuery(query)).toBe(expected);
  });
});
