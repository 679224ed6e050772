export { type BlockTicket, openBlockTicket, signBlockTicket, TICKET_KEY_BYTES } from './block-ticket.ts';
export { isBlockToken, signBlockToken } from './block-token.ts';
export {
  deriveRecipient,
  generateRecipient,
  MAX_PLAINTEXT_BYTES,
  type Recipient,
  seal,
  SealingFailed,
} from './sealing.ts';
