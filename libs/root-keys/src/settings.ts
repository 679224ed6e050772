import { readFile } from 'node:fs/promises';
import { ConfigError } from '@holdfast/service-kit';
import { z } from 'zod';
import { EnvironmentProvider } from './environment-provider.ts';
import { FileProvider } from './file-provider.ts';
import { Pkcs11Provider } from './pkcs11/provider.ts';
import { RootKeyError, type RootKeyProvider } from './types.ts';

const text = z.string().min(1).optional();

/** Variables of a token; the same for every service, since each has keys of its own label in it. */
export const pkcs11Variables = {
  HOLDFAST_PKCS11_MODULE: text,
  HOLDFAST_PKCS11_TOKEN: text,
  HOLDFAST_PKCS11_PIN: text,
  HOLDFAST_PKCS11_PIN_FILE: text,
  HOLDFAST_PKCS11_KEY_LABEL: text,
};

export const pkcs11Schema = z.object({
  /** Path of the PKCS#11 module. */
  module: z.string().min(1),
  /** Label of the token. */
  token: z.string().min(1),
  pin: text,
  pinFile: text,
  /** Label of the service's keys; without one `holdfast-<service>`. */
  keyLabel: text,
});
export type Pkcs11Options = z.infer<typeof pkcs11Schema>;

/** Where a service's root key is: exactly one of them. */
export const rootKeySchema = z.object({
  /** A file with the versions, mode 0600; made on first start. */
  file: text,
  /** The versions themselves, each 32 bytes in base64, with commas between. */
  secret: text,
  pkcs11: pkcs11Schema.optional(),
});
export type RootKeyOptions = z.infer<typeof rootKeySchema>;

export type Pkcs11Values = { readonly [name in keyof typeof pkcs11Variables]?: string };

/** @returns undefined when no variable of a token is set. @throws ConfigError when some are and others are missing */
export const pkcs11Options = (values: Pkcs11Values): Pkcs11Options | undefined => {
  if (Object.keys(pkcs11Variables).every((name) => values[name as keyof Pkcs11Values] === undefined)) return undefined;
  const {
    HOLDFAST_PKCS11_MODULE: module,
    HOLDFAST_PKCS11_TOKEN: token,
    HOLDFAST_PKCS11_PIN: pin,
    HOLDFAST_PKCS11_PIN_FILE: pinFile,
    HOLDFAST_PKCS11_KEY_LABEL: keyLabel,
  } = values;
  if (module === undefined || token === undefined) {
    throw new ConfigError('a PKCS#11 token needs HOLDFAST_PKCS11_MODULE and HOLDFAST_PKCS11_TOKEN');
  }
  if ((pin === undefined) === (pinFile === undefined)) {
    throw new ConfigError('a PKCS#11 token needs either HOLDFAST_PKCS11_PIN_FILE or HOLDFAST_PKCS11_PIN');
  }
  return { module, token, pin, pinFile, keyLabel };
};

/** @throws RootKeyError */
const readPin = async ({ pin, pinFile }: Pkcs11Options): Promise<Buffer> => {
  if (pinFile === undefined) return Buffer.from(pin ?? '', 'utf8');
  try {
    return Buffer.from((await readFile(pinFile, 'utf8')).replace(/\r?\n$/, ''), 'utf8');
  } catch (error) {
    throw new RootKeyError(`the PIN cannot be read: ${(error as Error).message}`);
  }
};

export interface RootKeyNames {
  /** Of the service, e.g. `kms`. */
  readonly service: string;
  /** The variable that may hold the versions, e.g. `HOLDFAST_KMS_ROOT_KEY`; with `_FILE` after it the one that names a file. */
  readonly variable: string;
}

export const pkcs11Provider = (options: Pkcs11Options, service: string): Pkcs11Provider =>
  new Pkcs11Provider({
    module: options.module,
    tokenLabel: options.token,
    pin: () => readPin(options),
    keyLabel: options.keyLabel ?? `holdfast-${service}`,
  });

/**
 * The provider that the settings choose.
 * @throws ConfigError unless exactly one is chosen. @throws RootKeyError when it can't be had here
 */
export const rootKeyProvider = (options: RootKeyOptions, { service, variable }: RootKeyNames): RootKeyProvider => {
  const { file, secret, pkcs11 } = options;
  if ([file, secret, pkcs11].filter((choice) => choice !== undefined).length !== 1) {
    throw new ConfigError(
      `${service} needs its root key: set one of ${variable}_FILE, ${variable} and HOLDFAST_PKCS11_MODULE`,
    );
  }
  if (file !== undefined) return new FileProvider(file, service);
  if (secret !== undefined) return new EnvironmentProvider(variable, secret, service);
  return pkcs11Provider(pkcs11Schema.parse(pkcs11), service);
};
