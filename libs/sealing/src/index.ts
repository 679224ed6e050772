export {
  deriveRecipient,
  generateRecipient,
  MAX_PLAINTEXT_BYTES,
  type Recipient,
  seal,
  SealingFailed,
} from './sealing.ts';
