import { createHash, createHmac, timingSafeEqual, type KeyObject } from 'node:crypto';
import { AwsError } from '@holdfast/contracts';
import { header, type RawRequest } from '../http-message.ts';
import { matchRoute } from '../rest.ts';
import { serviceOf } from '../route.ts';
import type { ServiceId } from '../service-model.ts';
import { isServiceId, modelOf } from '../services.ts';
import { basicTimestamp, readAuthorization, type Authorization, type Credential } from './authorization.ts';
import { canonicalRequest } from './canonical-request.ts';
import { AuthenticationFailure, authenticationError } from './failures.ts';
import { SigningKeyCache } from './signing-key-cache.ts';

/** What the resolver knows of an access key on one day, in one Region, for one service. */
export interface SigningKey<Principal> {
  /** HMAC key: the secret through date, region, service and `aws4_request`. */
  readonly signingKey: KeyObject;
  readonly principal: Principal;
  /** The token that must come with a temporary key; absent for a long-lived one, which must come without. */
  readonly sessionToken?: string;
  /** End of a temporary key's life. */
  readonly expiresAt?: Date;
}

/** Null: no such access key, or an inactive one. A rejection is passed on and not remembered. */
export type SigningKeyResolver<Principal> = (scope: Credential) => Promise<SigningKey<Principal> | null>;

export interface Authenticated<Principal> {
  readonly principal: Principal;
  readonly accessKeyId: string;
  readonly region: string;
  readonly service: ServiceId;
  readonly isPresigned: boolean;
}

export interface SignatureVerifierOptions<Principal> {
  readonly resolve: SigningKeyResolver<Principal>;
  readonly now: () => Date;
  /** Most signing keys kept; 4096 by default. */
  readonly cacheEntries?: number;
  /** How long a key is used without asking again, so how late a deleted access key is noticed; 30 s by default. */
  readonly cacheMs?: number;
}

const MAX_SKEW_MS = 15 * 60_000;
const UNSIGNED = 'UNSIGNED-PAYLOAD';

const sha256 = (data: string | Buffer, encoding: 'latin1' | 'utf8' = 'utf8'): string =>
  (typeof data === 'string' ? createHash('sha256').update(data, encoding) : createHash('sha256').update(data)).digest(
    'hex',
  );

const isEqual = (a: string, b: string): boolean =>
  timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest());

/**
 * The hash that the signature covers, proven to be the body's. Only operations whose model says so may leave their body
 * unsigned. Chunked signatures (`STREAMING-…`) are S3's alone.
 */
const payloadHash = (service: ServiceId, request: RawRequest): string => {
  const claimed = header(request, 'x-amz-content-sha256');
  if (claimed === UNSIGNED) {
    const row = matchRoute(modelOf(service), request.method, request.url)?.row;
    if (row?.up === 1) return UNSIGNED;
    throw new AuthenticationFailure('badSignature');
  }
  const actual = request.promisedSha256 ?? sha256(request.body);
  if (claimed !== undefined && claimed.toLowerCase() !== actual) throw new AuthenticationFailure('badSignature');
  return claimed ?? actual;
};

/** Host and every x-amz-* header present must be signed, or a third party could add or change one. */
const checkSignedHeaders = (request: RawRequest, signedHeaders: readonly string[]): void => {
  const present = Object.keys(request.headers).filter((name) => request.headers[name] !== undefined);
  const unsigned = present.find((name) => name.startsWith('x-amz-') && !signedHeaders.includes(name));
  if (unsigned !== undefined) throw new AuthenticationFailure('badSignature');
  if (!signedHeaders.includes('host')) throw new AuthenticationFailure('malformed', "'Host' must be a signed header.");
};

const checkTime = (signed: Authorization, now: Date): void => {
  const [at, age] = [basicTimestamp(now), now.getTime() - signed.signedAt.getTime()];
  if (age < -MAX_SKEW_MS) {
    const latest = basicTimestamp(new Date(now.getTime() + MAX_SKEW_MS));
    throw new AuthenticationFailure(
      'notYetCurrent',
      `Signature not yet current: ${signed.timestamp} is still later than ${latest} (${at} + 15 min.)`,
    );
  }
  const lifeMs = signed.expiresSeconds === undefined ? MAX_SKEW_MS : signed.expiresSeconds * 1000;
  if (age <= lifeMs) return;
  const earliest = basicTimestamp(new Date(now.getTime() - lifeMs));
  const life = signed.expiresSeconds === undefined ? '15 min.' : `${String(signed.expiresSeconds)} s`;
  throw new AuthenticationFailure(
    'expired',
    `Signature expired: ${signed.timestamp} is now earlier than ${earliest} (${at} - ${life})`,
  );
};

/** Verifies Signature Version 4, in headers and in presigned URLs. */
export class SignatureVerifier<Principal> {
  private readonly keys: SigningKeyCache<SigningKey<Principal>>;
  private readonly now: () => Date;

  constructor({ resolve, now, cacheEntries = 4096, cacheMs = 30_000 }: SignatureVerifierOptions<Principal>) {
    this.now = now;
    this.keys = new SigningKeyCache(resolve, { now, entries: cacheEntries, maxAgeMs: cacheMs });
  }

  /** Drops what is remembered of one access key, or of all: for rotation, deactivation and reset. */
  forget(accessKeyId?: string): void {
    this.keys.forget(accessKeyId);
  }

  /**
   * @throws AwsError in the words of the service, whatever is wrong with the signature; UnknownOperationException when the
   *   service cannot be told. What the resolver throws is passed on.
   */
  async authenticate(request: RawRequest): Promise<Authenticated<Principal>> {
    const service = serviceOf(request);
    if (service === null) throw new AwsError({ code: 'UnknownOperationException', status: 404 });
    try {
      return await this.verify(service, request);
    } catch (error) {
      throw error instanceof AuthenticationFailure ? authenticationError(service, error) : error;
    }
  }

  private async verify(service: ServiceId, request: RawRequest): Promise<Authenticated<Principal>> {
    const signed = readAuthorization(request);
    const { credential } = signed;
    if (!isServiceId(credential.service) || credential.service !== service) {
      throw new AuthenticationFailure('malformed', `Credential should be scoped to correct service: '${service}'.`);
    }
    checkSignedHeaders(request, signed.signedHeaders);
    const key = await this.keys.get(credential);
    if (key === null) throw new AuthenticationFailure('unknownKey');
    const hash = payloadHash(service, request);
    const canonical = canonicalRequest(request, signed.signedHeaders, hash);
    const toSign = ['AWS4-HMAC-SHA256', signed.timestamp, signed.scope, sha256(canonical, 'latin1')].join('\n');
    const expected = createHmac('sha256', key.signingKey).update(toSign).digest();
    if (!timingSafeEqual(expected, Buffer.from(signed.signature, 'hex')))
      throw new AuthenticationFailure('badSignature');
    // Only who holds the secret learns whether time or token was what was wrong.
    this.checkToken(key, signed.sessionToken);
    checkTime(signed, this.now());
    const { accessKeyId, region } = credential;
    return { principal: key.principal, accessKeyId, region, service, isPresigned: signed.expiresSeconds !== undefined };
  }

  private checkToken(key: SigningKey<Principal>, token: string | undefined): void {
    const matches = key.sessionToken === undefined ? token === undefined : isEqual(key.sessionToken, token ?? '');
    if (!matches) throw new AuthenticationFailure('unknownKey');
    if (key.expiresAt !== undefined && key.expiresAt <= this.now()) throw new AuthenticationFailure('tokenExpired');
  }
}
