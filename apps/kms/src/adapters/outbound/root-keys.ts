import { envelopeKeyName, hkdf, unwrapKeyMaterial } from '@holdfast/crypto';
import type { Database } from '@holdfast/event-store/postgres';
import {
  InvalidWrapping,
  type RootKeyProvider,
  RootKeys,
  ServiceSecrets,
  UnknownRootKeyVersion,
  type WrappedStore,
} from '@holdfast/root-keys';

const NONE = Buffer.alloc(0);
const PURPOSES = ['transport', 'grant-tokens', 'markers', 'import-tokens', 'import-token-id', 'material-ids'];

/** Rows of `key_material`. Its first format was an envelope under the root key's own bytes, whose id it names at byte 6. */
export const keyMaterialStore = (provider: RootKeyProvider): WrappedStore => ({
  table: 'key_material',
  key: ['key_id', 'material_id'],
  versionColumn: 'root_key_id',
  earlier: {
    versionId: "encode(substring(wrapped FROM 7 FOR 32), 'hex')",
    unwrap: (wrapped, [keyId = '', materialId = '']) => {
      const rootKey = envelopeKeyName(wrapped);
      if (rootKey === null) throw new InvalidWrapping();
      const material = provider.materialOf?.(rootKey.materialId);
      if (material === undefined) throw new UnknownRootKeyVersion(rootKey.materialId);
      return unwrapKeyMaterial({ ...rootKey, material }, wrapped, { keyId, materialId });
    },
  },
});

export interface KmsRootKeys {
  readonly rootKeys: RootKeys;
  readonly store: WrappedStore;
  readonly secrets: Pick<ServiceSecrets, 'derive' | 'deriveAll'>;
}

/** @throws RootKeyError naming what is wrong. */
export const openRootKeys = async (provider: RootKeyProvider, database: Database): Promise<KmsRootKeys> => {
  const store = keyMaterialStore(provider);
  let secrets: ServiceSecrets | undefined;
  const options = { provider, database, service: 'kms', stores: [store] };
  const rootKeys = await RootKeys.open(options, async (opened, sql) => {
    const versions = await provider.versions();
    // They used to be derived from the root key, and what was made with them is still about.
    const earlier = (purpose: string) =>
      versions.flatMap(({ versionId }) => {
        const material = provider.materialOf?.(versionId);
        return material === undefined ? [] : [hkdf(material, NONE, `holdfast/kms/${purpose}`, 32)];
      });
    secrets = await ServiceSecrets.open(opened, sql, PURPOSES, earlier);
  });
  if (secrets === undefined) throw new Error('the secrets were not opened');
  return { rootKeys, store, secrets };
};
