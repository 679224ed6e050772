import { randomBytes } from 'node:crypto';
import { EnvironmentProvider } from '../environment-provider.ts';
import type { RootKeys } from '../root-keys.ts';
import type { RootKeyProvider } from '../types.ts';
import { bindingInStore } from '../wrapped-store.ts';

/** Wrapping as RootKeys does it, with a key of its own that nothing rotates: for tests without a database. */
export const memoryRootKeys = async (
  service: string,
): Promise<{ rootKeys: Pick<RootKeys, 'storing' | 'unwrap'>; provider: RootKeyProvider; versionId: string }> => {
  const provider = new EnvironmentProvider('HOLDFAST_TEST_KEY', randomBytes(32).toString('base64'), service);
  const [version] = await provider.versions();
  const versionId = version?.versionId ?? '';
  const rootKeys: Pick<RootKeys, 'storing' | 'unwrap'> = {
    storing: async (store, key, plaintext, write) => {
      const wrapped = await provider.wrap(versionId, plaintext, bindingInStore(store, key));
      if (!(await write(versionId, wrapped))) throw new Error('not stored');
    },
    unwrap: (store, key, wrapped) => provider.unwrap(wrapped, bindingInStore(store, key)),
  };
  return { rootKeys, provider, versionId };
};
