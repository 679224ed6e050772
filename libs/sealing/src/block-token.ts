import { createHmac, timingSafeEqual } from 'node:crypto';

const VERSION = 2;
/** Version, expiry (u32 BE, seconds of the epoch), the first half of an HMAC-SHA-256. */
const MAC_AT = 5;
const MAC_BYTES = 16;

const macOf = (key: Uint8Array, head: Uint8Array, blockIndex: number): Buffer =>
  createHmac('sha256', key).update(head).update(String(blockIndex)).digest().subarray(0, MAC_BYTES);

/**
 * EBS direct's BlockToken.
 * @param key of one snapshot and one account's view of it. @param expiry whole seconds.
 */
export const signBlockToken = (key: Uint8Array, blockIndex: number, expiry: Date): string => {
  const token = Buffer.alloc(MAC_AT + MAC_BYTES);
  token.writeUInt8(VERSION, 0);
  token.writeUInt32BE(expiry.getTime() / 1000, 1);
  macOf(key, token.subarray(0, MAC_AT), blockIndex).copy(token, MAC_AT);
  return token.toString('base64');
};

/** Whether the token was signed under this key, for this block, and is not over. */
export const isBlockToken = (key: Uint8Array, text: string, blockIndex: number, now: Date): boolean => {
  const token = Buffer.from(text, 'base64');
  return (
    token.length === MAC_AT + MAC_BYTES &&
    token[0] === VERSION &&
    timingSafeEqual(token.subarray(MAC_AT), macOf(key, token.subarray(0, MAC_AT), blockIndex)) &&
    token.readUInt32BE(1) * 1000 > now.getTime()
  );
};
