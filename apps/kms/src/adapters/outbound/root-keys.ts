import { type EnvelopeKey, hkdf } from '@holdfast/crypto';
import { keyOrigin, type KeySource, loadKeys } from '@holdfast/service-kit';

/** The root keys that this installation knows: the first wraps, the others still unwrap what they wrapped. */
export interface RootKeys {
  readonly current: EnvelopeKey;
  find(rootKeyId: string): EnvelopeKey | undefined;
  /** 32 bytes for one purpose, from the current root key. */
  derive(purpose: string): Buffer;
  /** The same from every root key, the current one first: what an earlier one signed is still known. */
  deriveAll(purpose: string): Buffer[];
}

const NONE = Buffer.alloc(0);

/** A root key's id is derived from it, so it needs no bookkeeping and a wrong key is told from the right one. */
const named = (material: Buffer): EnvelopeKey => ({
  keyId: 'root',
  materialId: hkdf(material, NONE, 'holdfast/kms/root-key-id', 32).toString('hex'),
  material,
});

/**
 * @param needed ids of the root keys that stored key material is under.
 * @throws Error naming what is wrong: file missing, malformed or readable by others, or a root key that is not there.
 */
export const loadRootKeys = async (source: KeySource, needed: readonly string[]): Promise<RootKeys> => {
  const dependents = needed.length > 0 ? 'existing keys are wrapped by its root key' : null;
  const needs = { name: 'the root key secret', dependents };
  const [first, ...earlier] = await loadKeys(source, needs);
  const current = named(first);
  const keys = [current, ...earlier.map(named)];
  const find = (rootKeyId: string) => keys.find(({ materialId }) => materialId === rootKeyId);
  const missing = needed.filter((rootKeyId) => find(rootKeyId) === undefined);
  if (missing.length > 0) {
    throw new Error(`${keyOrigin(source, needs)} lacks root key ${missing.join(', ')}, which wraps existing keys`);
  }
  const deriveFrom = ({ material }: EnvelopeKey, purpose: string) =>
    hkdf(material, NONE, `holdfast/kms/${purpose}`, 32);
  return {
    current,
    find,
    derive: (purpose) => deriveFrom(current, purpose),
    deriveAll: (purpose) => keys.map((key) => deriveFrom(key, purpose)),
  };
};
