import type { Database } from '@holdfast/event-store/postgres';
import { type RootKeyProvider, RootKeys, ServiceSecrets, type WrappedStore } from '@holdfast/root-keys';

const PURPOSES = ['transport', 'grant-tokens', 'markers', 'import-tokens', 'import-token-id', 'material-ids'];

export const KEY_MATERIAL: WrappedStore = {
  table: 'key_material',
  key: ['key_id', 'material_id'],
  versionColumn: 'root_key_id',
};

export interface KmsRootKeys {
  readonly rootKeys: RootKeys;
  readonly secrets: Pick<ServiceSecrets, 'derive' | 'deriveAll'>;
}

/** @throws RootKeyError naming what is wrong. */
export const openRootKeys = async (provider: RootKeyProvider, database: Database): Promise<KmsRootKeys> => {
  let secrets: ServiceSecrets | undefined;
  const options = { provider, database, service: 'kms', stores: [KEY_MATERIAL] };
  const rootKeys = await RootKeys.open(options, async (opened, sql) => {
    secrets = await ServiceSecrets.open(opened, sql, PURPOSES);
  });
  if (secrets === undefined) throw new Error('the secrets were not opened');
  return { rootKeys, secrets };
};
