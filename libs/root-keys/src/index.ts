export { EnvironmentProvider } from './environment-provider.ts';
export { FileProvider } from './file-provider.ts';
export { CreateRootKeys1700000900000 } from './migration.ts';
export { type Pkcs11Options, pkcs11Options, pkcs11Provider, pkcs11Schema, pkcs11Variables } from './pkcs11/settings.ts';
export { Rewrapper } from './rewrapper.ts';
export { RootKeyService } from './root-key-service.ts';
export { HELD_CURRENT, RootKeys, type RootKeysOptions } from './root-keys.ts';
export {
  type AskReplicas,
  beginRotation,
  retireVersion,
  type RootKeyStatus,
  rootKeyStatus,
  type Rotation,
  type VersionStatus,
} from './rotation.ts';
export { ServiceSecrets } from './service-secrets.ts';
export { type RootKeyNames, type RootKeyOptions, rootKeyProvider, rootKeySchema } from './settings.ts';
export {
  InvalidWrapping,
  RootKeyError,
  type RootKeyProvider,
  type RootKeyVersion,
  UnknownRootKeyVersion,
} from './types.ts';
export { bindingInStore, type BlobCount, type WrappedStore } from './wrapped-store.ts';
