import { deriveRecipient, seal, type Recipient } from '@holdfast/sealing';
import type { Transport } from '../../application/ports.ts';

/** HPKE with a key pair that every replica derives alike. */
export class SealedTransport implements Transport {
  private constructor(private readonly recipient: Recipient) {}

  /** @param seed 32 secret bytes, zeroed here. */
  static async from(seed: Buffer): Promise<SealedTransport> {
    try {
      return new SealedTransport(await deriveRecipient(seed));
    } finally {
      seed.fill(0);
    }
  }

  get publicKeyBase64(): string {
    return this.recipient.publicKeyBase64;
  }

  open(sealedBase64: string, info: string): Promise<Buffer> {
    return this.recipient.open(sealedBase64, info);
  }

  seal(publicKeyBase64: string, plaintext: Uint8Array, info: string): Promise<string> {
    return seal(publicKeyBase64, plaintext, info);
  }
}
