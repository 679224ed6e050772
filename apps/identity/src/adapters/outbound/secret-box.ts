import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { SecretsKey, SecretsKeys } from './secrets-keys.ts';

const CIPHER = 'aes-256-gcm';
const FORMAT = 1;
const KEY_ID_BYTES = 8;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const HEADER_BYTES = 1 + KEY_ID_BYTES + IV_BYTES;

/**
 * AES-256-GCM under a key of its own per purpose. A box is: format (1 byte), key id (8), IV (12), ciphertext, tag (16); what
 * it belongs to (`binding`) is authenticated with it.
 */
export class SecretBox {
  constructor(
    private readonly keys: Pick<SecretsKeys, 'find'> & Partial<SecretsKeys>,
    private readonly purpose: string,
  ) {}

  /** @param plaintext stays the caller's to zero. */
  seal(plaintext: Uint8Array, binding: string): Buffer {
    const { current } = this.keys;
    if (current === undefined) throw new RangeError('there is no key to encrypt with');
    const header = Buffer.concat([Buffer.of(FORMAT), Buffer.from(current.keyId, 'hex')]);
    const iv = randomBytes(IV_BYTES);
    const key = this.keyFrom(current);
    const cipher = createCipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES }).setAAD(this.bound(header, binding));
    const box = Buffer.concat([header, iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
    key.fill(0);
    return box;
  }

  /** @returns null for whatever is wrong with the box, its key or its binding; else a buffer for the caller to zero. */
  open(box: Buffer, binding: string): Buffer | null {
    if (box.length < HEADER_BYTES + TAG_BYTES || box[0] !== FORMAT) return null;
    const header = box.subarray(0, 1 + KEY_ID_BYTES);
    const found = this.keys.find(header.subarray(1).toString('hex'));
    if (found === undefined) return null;
    const key = this.keyFrom(found);
    const decipher = createDecipheriv(CIPHER, key, box.subarray(header.length, HEADER_BYTES), {
      authTagLength: TAG_BYTES,
    })
      .setAAD(this.bound(header, binding))
      .setAuthTag(box.subarray(-TAG_BYTES));
    const plaintext = decipher.update(box.subarray(HEADER_BYTES, -TAG_BYTES)); // GCM is a stream: final() adds no bytes.
    try {
      decipher.final();
      return plaintext;
    } catch {
      plaintext.fill(0);
      return null;
    } finally {
      key.fill(0);
    }
  }

  private keyFrom(key: SecretsKey): Buffer {
    return key.derive(`box/${this.purpose}`);
  }

  private bound(header: Buffer, binding: string): Buffer {
    return Buffer.concat([header, Buffer.from(binding, 'utf8')]);
  }
}
