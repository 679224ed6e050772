import { RawKeys } from './raw-keys.ts';
import type { RootKeyProvider, RootKeyVersion } from './types.ts';

/** What the providers have in common whose keys are bytes in this process. */
export abstract class RawKeyProvider implements RootKeyProvider {
  abstract readonly kind: RootKeyProvider['kind'];
  protected readonly keys: RawKeys;

  constructor(
    readonly origin: string,
    service: string,
  ) {
    this.keys = new RawKeys(service);
  }

  abstract versions(): Promise<readonly RootKeyVersion[]>;
  abstract create(): Promise<RootKeyVersion>;
  abstract destroy(versionId: string): Promise<void>;

  async wrap(versionId: string, plaintext: Uint8Array, additionalData: Uint8Array): Promise<Buffer> {
    return this.keys.wrap(versionId, plaintext, additionalData);
  }

  async unwrap(wrapped: Uint8Array, additionalData: Uint8Array): Promise<Buffer> {
    return this.keys.unwrap(wrapped, additionalData);
  }

  async close(): Promise<void> {
    this.keys.clear();
  }
}
