export { loadPkcs11Addon } from './addon.ts';
export { Pkcs11Provider, type Pkcs11Settings } from './provider.ts';
export { type Pkcs11Options, pkcs11Options, pkcs11Provider, pkcs11Schema, pkcs11Variables } from './settings.ts';
export { RootKeyError } from '../types.ts';
