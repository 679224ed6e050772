import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { AuthorizationMessages, Markers } from '../../application/ports.ts';
import { SecretBox } from './secret-box.ts';
import type { SecretsKeys } from './secrets-keys.ts';

/** Decoding stops here, whatever a message says of itself. */
const MAX_MESSAGE_BYTES = 65_536;

const fromBase64 = (text: string, encoding: 'base64' | 'base64url'): Buffer | null => {
  const bytes = Buffer.from(text, encoding);
  return bytes.toString(encoding) === text ? bytes : null;
};

/** Markers of IAM's lists: where the next page starts, readable only here and good only for the same list. */
export class SealedMarkers implements Markers {
  private readonly box: SecretBox;

  constructor(keys: SecretsKeys) {
    this.box = new SecretBox(keys, 'marker');
  }

  write(list: string, after: string): string {
    return this.box.seal(Buffer.from(after, 'utf8'), list).toString('base64');
  }

  read(list: string, marker: string): string | null {
    const bytes = fromBase64(marker, 'base64');
    return bytes === null ? null : (this.box.open(bytes, list)?.toString('utf8') ?? null);
  }
}

/** What DecodeAuthorizationMessage decodes: compressed, encrypted, and for one account only. */
export class SealedAuthorizationMessages implements AuthorizationMessages {
  private readonly box: SecretBox;

  constructor(keys: SecretsKeys) {
    this.box = new SecretBox(keys, 'authorization-message');
  }

  encode(accountId: string, message: string): string {
    return this.box.seal(deflateRawSync(Buffer.from(message, 'utf8')), accountId).toString('base64url');
  }

  decode(accountId: string, encoded: string): string | null {
    const bytes = fromBase64(encoded, 'base64url');
    const packed = bytes === null ? null : this.box.open(bytes, accountId);
    return packed === null ? null : inflateRawSync(packed, { maxOutputLength: MAX_MESSAGE_BYTES }).toString('utf8');
  }
}
