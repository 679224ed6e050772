import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { InvalidWrapping, RootKeyError, type RootKeyVersion, UnknownRootKeyVersion } from './types.ts';
import { newHeader, parseWrapped, randomBytesOf, TAG_BYTES } from './wrapped-blob.ts';

export const KEY_BYTES = 32;
const NONE = Buffer.alloc(0);
const CIPHER = 'aes-256-gcm';
const PURPOSE = 'holdfast/root-key/wrap/v2';

interface RawKey extends RootKeyVersion {
  readonly material: Buffer;
}

/** @throws RootKeyError naming `origin`, and no part of the text. */
export const parseKeys = (text: string, origin: string): Buffer[] => {
  const words = text.split(/[\s,]+/).filter((word) => word !== '');
  const keys = words.map((word) => Buffer.from(word, 'base64'));
  const wellFormed = keys.every((key, i) => key.length === KEY_BYTES && key.toString('base64') === words[i]);
  if (keys.length === 0 || !wellFormed) throw new RootKeyError(`${origin} must hold keys: each 32 bytes in base64`);
  return keys;
};

/** Versions whose bytes this process holds. A version's id is derived from it: a wrong key is told from the right one. */
export class RawKeys {
  private keys: readonly RawKey[] = [];

  /** @param service whose root key it is: the same bytes are another version for another service. */
  constructor(private readonly service: string) {}

  idOf(material: Buffer): string {
    return Buffer.from(hkdfSync('sha256', material, NONE, `holdfast/${this.service}/root-key-id`, KEY_BYTES)).toString(
      'hex',
    );
  }

  /** Takes the place of what was held before, which is zeroed where it is gone. */
  replace(materials: readonly Buffer[], location: string): readonly RootKeyVersion[] {
    const before = this.keys;
    const keys = new Map<string, RawKey>(); // The same key twice is one version.
    for (const material of materials) {
      const versionId = this.idOf(material);
      keys.set(versionId, before.find((key) => key.versionId === versionId) ?? { versionId, location, material });
    }
    this.keys = [...keys.values()];
    for (const key of before) if (!this.keys.includes(key)) key.material.fill(0);
    return this.keys.map(({ versionId }) => ({ versionId, location }));
  }

  materialOf(versionId: string): Buffer | undefined {
    return this.keys.find((key) => key.versionId === versionId)?.material;
  }

  wrap(versionId: string, plaintext: Uint8Array, additionalData: Uint8Array): Buffer {
    const { header, salt, iv } = newHeader(versionId, 'derived', randomBytes(randomBytesOf('derived')));
    return this.withMessageKey(versionId, salt, (key) => {
      const cipher = createCipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES });
      cipher.setAAD(Buffer.concat([header, additionalData]));
      return Buffer.concat([header, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
    });
  }

  unwrap(wrapped: Uint8Array, additionalData: Uint8Array): Buffer {
    const { versionId, header, salt, iv, sealed } = parseWrapped(wrapped, 'derived');
    return this.withMessageKey(versionId, salt, (key) => {
      const decipher = createDecipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES });
      decipher.setAAD(Buffer.concat([header, additionalData])).setAuthTag(sealed.subarray(-TAG_BYTES));
      const plaintext = decipher.update(sealed.subarray(0, -TAG_BYTES)); // GCM is a stream: final() adds no bytes.
      try {
        decipher.final();
        return plaintext;
      } catch {
        plaintext.fill(0);
        throw new InvalidWrapping();
      }
    });
  }

  clear(): void {
    this.replace([], '');
  }

  private withMessageKey<T>(versionId: string, salt: Buffer, work: (key: Buffer) => T): T {
    const material = this.materialOf(versionId);
    if (material === undefined) throw new UnknownRootKeyVersion(versionId);
    const key = Buffer.from(hkdfSync('sha256', material, salt, PURPOSE, KEY_BYTES));
    try {
      return work(key);
    } finally {
      key.fill(0);
    }
  }
}
