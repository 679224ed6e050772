import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { RootKeyError } from '../types.ts';

declare const token: unique symbol;
/** A token that this process is logged in to. */
export type Token = { readonly [token]: true };

export interface TokenKey {
  readonly label: string;
  readonly id: Buffer;
  readonly bytes: number;
  /** Sensitive, and not extractable. */
  readonly staysInside: boolean;
}

/** What libs/root-keys/native/pkcs11.c exports; errors carry `call` and `result`, the CK_RV. */
export interface Pkcs11Addon {
  open(modulePath: Buffer, tokenLabel: Buffer, pin: Buffer): Promise<Token>;
  close(token: Token): Promise<void>;
  /** AES keys that are kept in the token, whoever made them. */
  list(token: Token): Promise<TokenKey[]>;
  generate(token: Token, label: Buffer, id: Buffer): Promise<void>;
  destroy(token: Token, label: Buffer, id: Buffer): Promise<void>;
  encrypt(token: Token, label: Buffer, id: Buffer, iv: Buffer, aad: Buffer, plaintext: Buffer): Promise<Buffer>;
  decrypt(token: Token, label: Buffer, id: Buffer, iv: Buffer, aad: Buffer, sealed: Buffer): Promise<Buffer>;
}

/** From the sources, and from a bundle in dist/ or a folder of it. */
const PATHS = [
  '../../native/build/pkcs11.node',
  '../libs/root-keys/native/build/pkcs11.node',
  '../../libs/root-keys/native/build/pkcs11.node',
];

/** @throws RootKeyError when it was not built here */
export const loadPkcs11Addon = (
  paths: readonly string[] = PATHS.map((path) => fileURLToPath(new URL(path, import.meta.url))),
): Pkcs11Addon => {
  const path = paths.find(existsSync);
  const remedy = 'install a C compiler and run "node tools/build-native.mjs", or keep the root key in a file';
  if (path === undefined) throw new RootKeyError(`PKCS#11 needs an addon that was not built at install: ${remedy}`);
  try {
    return createRequire(import.meta.url)(path) as Pkcs11Addon;
  } catch (error) {
    throw new RootKeyError(`PKCS#11 needs an addon that cannot be loaded (${(error as Error).message}): ${remedy}`);
  }
};
