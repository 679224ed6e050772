export {
  KEY_PAIR_SPECS,
  type KeyPairSpec,
  MAC_ALGORITHMS,
  type MacAlgorithm,
  MESSAGE_TYPES,
  type MessageType,
  OAEP_ALGORITHMS,
  type OaepAlgorithm,
  SIGNING_ALGORITHMS,
  type SigningAlgorithm,
} from './asymmetric/algorithms.ts';
export { IMPORT_WRAPPINGS, type ImportWrapping, unwrapImported } from './asymmetric/import-wrapping.ts';
export {
  deriveSharedSecret,
  generateKeyPair,
  type KeyPairBytes,
  privateKeyOf,
  publicKeyBytes,
  publicKeyOf,
  UnfitKey,
} from './asymmetric/key-pairs.ts';
export { generateMac, verifyMac } from './asymmetric/macs.ts';
export { decryptOaep, encryptOaep, oaepCapacityBytes } from './asymmetric/oaep.ts';
export { messageTypesOf, sign, type SigningRequest, UnfitMessage, verify } from './asymmetric/signatures.ts';
export { encodeContext, type EncryptionContext } from './envelope/encryption-context.ts';
export {
  decryptEnvelope,
  encryptEnvelope,
  ENVELOPE_OVERHEAD_BYTES,
  type EnvelopeKey,
  envelopeKeyName,
  type EnvelopeKeyName,
  InvalidCiphertext,
} from './envelope/envelope.ts';
