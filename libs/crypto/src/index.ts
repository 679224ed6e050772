export { encodeContext, type EncryptionContext } from './envelope/encryption-context.ts';
export {
  decryptEnvelope,
  encryptEnvelope,
  ENVELOPE_OVERHEAD_BYTES,
  type EnvelopeKey,
  envelopeKeyName,
  type EnvelopeKeyName,
  InvalidCiphertext,
  unwrapKeyMaterial,
  wrapKeyMaterial,
} from './envelope/envelope.ts';
export { hkdf } from './envelope/primitives.ts';
