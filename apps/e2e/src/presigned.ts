import { SignatureV4 } from '@smithy/signature-v4';
import { createHash, createHmac, type BinaryLike } from 'node:crypto';
import { REGION } from './account.ts';

/** Node's own hash in the shape that the official signer asks for. */
export class Sha256 {
  private readonly hash;
  constructor(secret?: unknown) {
    this.hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret as BinaryLike);
  }
  update(data: Uint8Array | string) {
    this.hash.update(data);
  }
  digest() {
    return Promise.resolve(new Uint8Array(this.hash.digest()));
  }
}

interface Keys {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

/** A URL that does `query` for whoever holds it, for a minute. */
export const presigned = async (
  endpoint: string,
  credentials: Keys,
  service: string,
  query: Record<string, string>,
): Promise<string> => {
  const { hostname, port, host } = new URL(endpoint);
  const signer = new SignatureV4({ service, region: REGION, credentials, sha256: Sha256 });
  const request = {
    method: 'GET',
    protocol: 'http:',
    hostname,
    port: Number(port),
    path: '/',
    query,
    headers: { host },
  };
  const signed = await signer.presign(request, { expiresIn: 60 });
  const url = new URL('/', endpoint);
  for (const [name, value] of Object.entries(signed.query ?? {})) url.searchParams.set(name, String(value));
  return url.href;
};
