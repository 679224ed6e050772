import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type BlockTicket, openBlockTicket, signBlockTicket, TICKET_KEY_BYTES } from './block-ticket.ts';

const key = randomBytes(TICKET_KEY_BYTES);
const ticket: BlockTicket = {
  sessionId: 's',
  operation: 'put',
  snapshotId: 'snap-1',
  blockIndex: 7,
  accountId: '111122223333',
  checksum: 'abc=',
  expiresAtMs: 1000,
};
const keyOf = (sessionId: string) => (sessionId === 's' ? key : undefined);

describe('a block ticket', () => {
  it('says what it was signed for', () => {
    expect(openBlockTicket(signBlockTicket(key, ticket), keyOf, 999)).toEqual(ticket);
  });

  it('is over at its time, and is nothing under another key or of another session', () => {
    expect(openBlockTicket(signBlockTicket(key, ticket), keyOf, 1000)).toBeNull();
    expect(openBlockTicket(signBlockTicket(randomBytes(TICKET_KEY_BYTES), ticket), keyOf, 0)).toBeNull();
    expect(openBlockTicket(signBlockTicket(key, { ...ticket, sessionId: 't' }), keyOf, 0)).toBeNull();
  });

  it('is nothing once any character of it is changed, cut or added', () => {
    const text = signBlockTicket(key, ticket);
    for (let at = 0; at < text.length; at++) {
      const other = text[at] === 'A' ? 'Q' : 'A';
      expect(openBlockTicket(text.slice(0, at), keyOf, 0)).toBeNull();
      const altered = text.slice(0, at) + other + text.slice(at + 1);
      // The last character of base64url carries bits that stand for nothing.
      if (at < text.length - 1) expect(openBlockTicket(altered, keyOf, 0), altered).toBeNull();
    }
    expect(openBlockTicket(`${text}.`, keyOf, 0)).toBeNull();
    expect(openBlockTicket('x'.repeat(100_000), keyOf, 0)).toBeNull();
  });
});
