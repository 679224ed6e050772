import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';

const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

/**
 * The key that signs one day's requests to one service in one Region, from the secret access key. As a KeyObject, with
 * which Node 24 computes five times as many HMACs as with a Buffer.
 * @param date `YYYYMMDD` in UTC.
 * @see Signature Version 4, "Derive a signing key"
 */
export const deriveSigningKey = (secret: string, date: string, region: string, service: string): KeyObject =>
  createSecretKey(hmac(hmac(hmac(hmac(`AWS4${secret}`, date), region), service), 'aws4_request'));
