import { isKeyOf, keyCheckOf } from '@holdfast/block-store';
import { type SectorCipher, selectXtsEngine, XTS_KEY_BYTES } from '@holdfast/crypto/xts';
import { generateRecipient, seal } from '@holdfast/sealing';
import { HOST_ERRORS, type KeySlot, unwrapReply, wrappingKeyReply, wrapReply } from '../host-protocol.ts';
import { type Peer, PeerError } from '../ipc.ts';

export interface OpenedKey {
  /** To be destroyed by its owner. */
  readonly cipher: SectorCipher;
  readonly keyCheck: string;
  /** As it was wrapped again, if it was asked for. */
  readonly rewrapped?: string;
}

/**
 * Has a data key unwrapped by KMS, sealed to a key pair of this process and this request.
 * @param expectedCheck of the ciphertext that it is for; absent where there is none yet.
 * @param wrapAgain in the encryption context that the service knows.
 * @throws PeerError KmsKeyUnusable, WrongDataKey
 */
export const openDataKey = async (
  peer: Peer,
  slot: KeySlot,
  expectedCheck?: string,
  wrapAgain = false,
): Promise<OpenedKey> => {
  const recipient = await generateRecipient();
  let plaintext: Buffer | undefined;
  try {
    const answer = unwrapReply.parse(await peer.call('Unwrap', { slot, publicKey: recipient.publicKeyBase64 }));
    plaintext = await recipient.open(answer.sealed, `kms.Decrypt.${answer.requestId}`);
    const half = XTS_KEY_BYTES / 2;
    if (plaintext.length !== XTS_KEY_BYTES || plaintext.subarray(0, half).equals(plaintext.subarray(half))) {
      throw new PeerError(HOST_ERRORS.wrongKey, 'what KMS unwrapped is not a data key for AES-256-XTS');
    }
    if (expectedCheck !== undefined && !isKeyOf(plaintext, expectedCheck)) {
      throw new PeerError(HOST_ERRORS.wrongKey, 'the data key is not the one that the blocks are encrypted under');
    }
    const rewrapped = wrapAgain ? { rewrapped: await wrapped(peer, plaintext) } : {};
    return { ...rewrapped, keyCheck: keyCheckOf(plaintext), cipher: selectXtsEngine().engine.createCipher(plaintext) };
  } finally {
    plaintext?.fill(0);
    recipient.destroy();
  }
};

const wrapped = async (peer: Peer, plaintext: Buffer): Promise<string> => {
  const { publicKey, requestId } = wrappingKeyReply.parse(await peer.call('WrappingKey', {}));
  const sealed = await seal(publicKey, plaintext, `kms.Encrypt.${requestId}`);
  return wrapReply.parse(await peer.call('Wrap', { sealed })).encryptedDataKey;
};
