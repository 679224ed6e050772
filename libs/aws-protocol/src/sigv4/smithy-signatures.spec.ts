import { createHash, createHmac, type BinaryLike } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { RawRequest } from '../http-message.ts';
import { KEY, tampered, verifierOf } from '../testing/signatures.ts';

// Thousands of cases: seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

/** The SDK's own hash interface, over node:crypto. */
class Sha256 {
  private readonly hash;
  constructor(secret?: unknown) {
    this.hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret as BinaryLike);
  }
  update(data: BinaryLike): void {
    this.hash.update(data);
  }
  digest(): Promise<Uint8Array> {
    return Promise.resolve(new Uint8Array(this.hash.digest()));
  }
  reset(): void {
    throw new Error('not used');
  }
}

const encodeRfc3986 = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

interface Parts {
  method: string;
  path: string;
  query: Record<string, string | string[]>;
  headers: Record<string, string>;
  body: string;
  service: string;
  sessionToken: string | undefined;
}

const text = fc.string({ unit: fc.constantFrom(..."ab /é日😀%+&=~*()'!;,.-_@:", '\t'), maxLength: 8 });
const segment = fc.oneof(text.map(encodeURIComponent), fc.constantFrom('.', '..', '', '%2F', '~', "(x)'"));
const parts: fc.Arbitrary<Parts> = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE'),
  path: fc.array(segment, { maxLength: 5 }).map((s) => `/${s.join('/')}`),
  query: fc.dictionary(
    text.filter((k) => k !== '' && !k.toLowerCase().startsWith('x-amz')),
    fc.oneof(text, fc.array(text, { minLength: 2, maxLength: 3 })),
    {
      maxKeys: 4,
      noNullPrototype: true,
    },
  ),
  headers: fc.dictionary(
    fc.constantFrom('x-custom', 'x-amz-target', 'content-type', 'x-amz-meta-a'),
    fc.constantFrom('a', '  two  spaces ', 'a,b', 'tab\there', '"quoted  text"'),
    { maxKeys: 3, noNullPrototype: true },
  ),
  body: fc.string({ maxLength: 20 }),
  service: fc.constantFrom('ec2', 'kms', 'sts', 'ebs', 'iam', 'cloudtrail'),
  sessionToken: fc.option(fc.constant('tok/en+=='), { nil: undefined }),
});

const wireUrl = (path: string, query: Record<string, unknown>): string => {
  const pairs = Object.entries(query).flatMap(([key, value]) =>
    (Array.isArray(value) ? (value as string[]) : [String(value)]).map(
      (v) => `${encodeRfc3986(key)}=${encodeRfc3986(v)}`,
    ),
  );
  return pairs.length === 0 ? path : `${path}?${pairs.join('&')}`;
};

const sign = async (p: Parts, presign: boolean): Promise<RawRequest> => {
  const signer = new SignatureV4({
    service: p.service,
    region: 'eu-central-1',
    credentials: { ...KEY, sessionToken: p.sessionToken },
    sha256: Sha256 as never,
  });
  const request = {
    method: p.method,
    protocol: 'http:',
    hostname: '127.0.0.1',
    port: 4566,
    path: p.path,
    query: p.query,
    headers: { host: '127.0.0.1:4566', ...p.headers },
    body: p.body,
  };
  interface Made {
    method: string;
    path: string;
    query?: Record<string, unknown>;
    headers: Record<string, string>;
  }
  const made: Made = (
    presign ? await signer.presign(request as never, { expiresIn: 60 }) : await signer.sign(request as never)
  ) as never;
  return {
    method: made.method,
    url: wireUrl(made.path, made.query ?? {}),
    headers: Object.fromEntries(Object.entries(made.headers).map(([name, value]) => [name.toLowerCase(), value])),
    body: Buffer.from(p.body),
  };
};

describe.each([
  ['in headers', false],
  ['presigned', true],
])('signatures by the JavaScript SDK, %s', (_, presign) => {
  it('are accepted', async () => {
    await fc.assert(
      fc.asyncProperty(parts, async (p) => {
        const { service } = await verifierOf({ sessionToken: p.sessionToken }).authenticate(await sign(p, presign));
        expect(service).toBe(p.service);
      }),
      { numRuns: 500 },
    );
  });

  it('are refused once anything signed was altered', async () => {
    await fc.assert(
      fc.asyncProperty(parts, async (p) => {
        const verifier = verifierOf({ sessionToken: p.sessionToken });
        for (const [what, altered] of tampered(await sign(p, presign), { isBodySigned: true })) {
          await expect(verifier.authenticate(altered), what).rejects.toMatchObject({ name: 'AwsError' });
        }
      }),
      { numRuns: 100 },
    );
  });
});
