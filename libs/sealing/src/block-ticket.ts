import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';

/** What one ticket allows its bearer: to put or to get one block, once it is shown to the host that gave its key. */
const ticketSchema = z.object({
  sessionId: z.string().min(1).max(64),
  operation: z.enum(['get', 'put']),
  snapshotId: z.string().max(64),
  blockIndex: z.int().min(0),
  accountId: z.string().max(12),
  /** Base64 of the SHA-256 that the block must have; put only. */
  checksum: z.string().max(64).optional(),
  /** In percent, as the client said; put only. */
  progress: z.int().min(0).max(100).optional(),
  /** Epoch milliseconds by the system's clock. */
  expiresAtMs: z.number(),
});
export type BlockTicket = z.infer<typeof ticketSchema>;

/** Bytes of a session's ticket key. */
export const TICKET_KEY_BYTES = 32;
const MAX_TICKET_LENGTH = 1024;

const macOf = (key: Uint8Array, payload: string): Buffer =>
  createHmac('sha256', key).update('holdfast block ticket v1\n').update(payload).digest();

/** @param key 32 secret bytes, shared with the host that takes the block. @returns base64url of the ticket, a dot, its HMAC. */
export const signBlockTicket = (key: Uint8Array, ticket: BlockTicket): string => {
  const payload = Buffer.from(JSON.stringify(ticket)).toString('base64url');
  return `${payload}.${macOf(key, payload).toString('base64url')}`;
};

/**
 * @param keyOf the key of a session; undefined: no such session.
 * @returns null for whatever was not signed under the session's key, or is over.
 */
export const openBlockTicket = (
  text: string,
  keyOf: (sessionId: string) => Uint8Array | undefined,
  nowMs: number,
): BlockTicket | null => {
  const [payload = '', mac = '', ...rest] = text.length > MAX_TICKET_LENGTH ? [] : text.split('.');
  if (rest.length > 0) return null;
  let parsed;
  try {
    parsed = ticketSchema.safeParse(JSON.parse(Buffer.from(payload, 'base64url').toString()));
  } catch {
    return null;
  }
  const key = parsed.success ? keyOf(parsed.data.sessionId) : undefined;
  if (!parsed.success || key === undefined) return null;
  const [given, expected] = [Buffer.from(mac, 'base64url'), macOf(key, payload)];
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null;
  return parsed.data.expiresAtMs > nowMs ? parsed.data : null;
};
