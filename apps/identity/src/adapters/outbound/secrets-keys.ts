import { hkdfSync } from 'node:crypto';
import { keyOrigin, type KeySource, loadKeys } from '@holdfast/service-kit';

const KEY_BYTES = 32;
const NONE = Buffer.alloc(0);

/** Everything secret in identity is encrypted by, or derived from, one of these. */
export interface SecretsKey {
  /** Derived from the key, so a wrong key is told from the right one. 16 hexadecimal digits. */
  readonly keyId: string;
  /** 32 bytes for one purpose. */
  derive(purpose: string, lengthBytes?: number): Buffer;
}

/** The first encrypts; the others still decrypt what they encrypted. */
export interface SecretsKeys {
  readonly current: SecretsKey;
  find(keyId: string): SecretsKey | undefined;
}

const secretsKey = (material: Buffer): SecretsKey => {
  const derive = (purpose: string, lengthBytes = KEY_BYTES) =>
    Buffer.from(hkdfSync('sha256', material, NONE, `holdfast/identity/${purpose}`, lengthBytes));
  return { keyId: derive('key-id', 8).toString('hex'), derive };
};

/**
 * @param needed ids of the keys that stored secrets are under.
 * @throws Error naming what is wrong, never with a key in it.
 */
export const loadSecretsKeys = async (source: KeySource, needed: readonly string[]): Promise<SecretsKeys> => {
  const dependents = needed.length > 0 ? 'stored secrets are encrypted by its key' : null;
  const needs = { name: "identity's secrets key", dependents };
  const [first, ...earlier] = await loadKeys(source, needs);
  const current = secretsKey(first);
  const keys = [current, ...earlier.map(secretsKey)];
  const find = (keyId: string) => keys.find((key) => key.keyId === keyId);
  const missing = needed.filter((keyId) => find(keyId) === undefined);
  if (missing.length > 0) {
    throw new Error(`${keyOrigin(source, needs)} lacks key ${missing.join(', ')}, which encrypts stored secrets`);
  }
  return { current, find };
};
