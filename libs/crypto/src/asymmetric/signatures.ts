import { constants, type KeyObject, sign as signMessage, verify as verifyMessage } from 'node:crypto';
import { type MessageType, SIGNING_ALGORITHMS, type SigningAlgorithm } from './algorithms.ts';
import { signEcdsaDigest, signEd25519Digest, verifyEcdsaDigest, verifyEd25519Digest } from './curve-digest.ts';
import { signMlDsa, verifyMlDsa } from './ml-dsa.ts';
import { signRsaDigest, verifyRsaDigest } from './rsa-digest.ts';

/** The algorithm takes no messages of this type, or the digest is not as long as its hash. */
export class UnfitMessage extends Error {
  override readonly name = 'UnfitMessage';
}

export interface SigningRequest {
  readonly algorithm: SigningAlgorithm;
  readonly messageType: MessageType;
  readonly message: Uint8Array;
}

const RSA_PADDING = {
  pkcs1: { padding: constants.RSA_PKCS1_PADDING },
  pss: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST },
} as const;

/** Pure Ed25519 hashes the message twice and cannot take a digest; Ed25519ph takes nothing else. ML-DSA's digest is µ. */
export const messageTypesOf = (algorithm: SigningAlgorithm): readonly MessageType[] => {
  const { scheme } = SIGNING_ALGORITHMS[algorithm];
  if (scheme === 'ed25519') return ['RAW'];
  if (scheme === 'ml-dsa') return ['RAW', 'EXTERNAL_MU'];
  return scheme === 'ed25519ph' ? ['DIGEST'] : ['RAW', 'DIGEST'];
};

const requireFit = ({ algorithm, messageType, message }: SigningRequest): void => {
  if (!messageTypesOf(algorithm).includes(messageType)) throw new UnfitMessage(`${algorithm} takes no ${messageType}`);
  const { digestBytes } = SIGNING_ALGORITHMS[algorithm];
  if (messageType !== 'RAW' && message.length !== digestBytes) throw new UnfitMessage('the digest has another length');
};

/**
 * @param key a private key of the algorithm's kind; anything else is a bug and throws.
 * @returns RSA: as long as the modulus; ECDSA: DER; Ed25519: 64 bytes; ML-DSA: 2,420, 3,309 or 4,627.
 * @throws UnfitMessage
 */
export const sign = (request: SigningRequest, key: KeyObject): Buffer => {
  requireFit(request);
  const { algorithm, messageType, message } = request;
  const row = SIGNING_ALGORITHMS[algorithm];
  switch (row.scheme) {
    case 'pkcs1':
    case 'pss':
      return messageType === 'DIGEST'
        ? signRsaDigest(row.scheme, row.hash, Buffer.from(message), key)
        : signMessage(row.hash, message, { key, ...RSA_PADDING[row.scheme] });
    case 'ecdsa':
      return messageType === 'DIGEST' ? signEcdsaDigest(message, key) : signMessage(row.hash, message, key);
    case 'ed25519':
      return signMessage(null, message, key);
    case 'ed25519ph':
      return signEd25519Digest(message, key);
    case 'ml-dsa':
      return signMlDsa(message, messageType === 'EXTERNAL_MU', key);
  }
};

/** @returns false for every signature that does not fit, malformed ones too. @throws UnfitMessage */
export const verify = (request: SigningRequest, signature: Uint8Array, key: KeyObject): boolean => {
  requireFit(request);
  const { algorithm, messageType, message } = request;
  const row = SIGNING_ALGORITHMS[algorithm];
  switch (row.scheme) {
    case 'pkcs1':
    case 'pss':
      return messageType === 'DIGEST'
        ? verifyRsaDigest(row.scheme, row.hash, Buffer.from(message), signature, key)
        : verifyMessage(row.hash, message, { key, ...RSA_PADDING[row.scheme] }, signature);
    case 'ecdsa':
      return messageType === 'DIGEST'
        ? verifyEcdsaDigest(message, signature, key)
        : verifyMessage(row.hash, message, key, signature);
    case 'ed25519':
      return verifyMessage(null, message, key, signature);
    case 'ed25519ph':
      return verifyEd25519Digest(message, signature, key);
    case 'ml-dsa':
      return verifyMlDsa(message, messageType === 'EXTERNAL_MU', signature, key);
  }
};
