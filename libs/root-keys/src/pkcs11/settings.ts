import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { RootKeyError } from '../types.ts';
import { Pkcs11Provider } from './provider.ts';

const text = z.string().min(1).optional();

/** Variables of a token; the same for every service, since each has keys of its own label in it. */
export const pkcs11Variables = {
  HOLDFAST_PKCS11_MODULE: text,
  HOLDFAST_PKCS11_TOKEN: text,
  HOLDFAST_PKCS11_PIN: text,
  HOLDFAST_PKCS11_PIN_FILE: text,
  HOLDFAST_PKCS11_LABEL_PREFIX: text,
};

export const pkcs11Schema = z.object({
  /** Path of the PKCS#11 module. */
  module: z.string().min(1),
  /** Label of the token. */
  token: z.string().min(1),
  pin: text,
  pinFile: text,
  /** The label of a service's keys is this, a hyphen and the service: no two services share a key. `holdfast` without one. */
  labelPrefix: text,
});
export type Pkcs11Options = z.infer<typeof pkcs11Schema>;

export type Pkcs11Values = { readonly [name in keyof typeof pkcs11Variables]?: string };

/** @returns undefined when no variable of a token is set. @throws RootKeyError when some are and others are missing */
export const pkcs11Options = (values: Pkcs11Values): Pkcs11Options | undefined => {
  if (Object.keys(pkcs11Variables).every((name) => values[name as keyof Pkcs11Values] === undefined)) return undefined;
  const {
    HOLDFAST_PKCS11_MODULE: module,
    HOLDFAST_PKCS11_TOKEN: token,
    HOLDFAST_PKCS11_PIN: pin,
    HOLDFAST_PKCS11_PIN_FILE: pinFile,
    HOLDFAST_PKCS11_LABEL_PREFIX: labelPrefix,
  } = values;
  if (module === undefined || token === undefined) {
    throw new RootKeyError('a PKCS#11 token needs HOLDFAST_PKCS11_MODULE and HOLDFAST_PKCS11_TOKEN');
  }
  if ((pin === undefined) === (pinFile === undefined)) {
    throw new RootKeyError('a PKCS#11 token needs either HOLDFAST_PKCS11_PIN_FILE or HOLDFAST_PKCS11_PIN');
  }
  return { module, token, pin, pinFile, labelPrefix };
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

/** @param service whose keys: they have a label of their own. @throws RootKeyError when the addon is not there */
export const pkcs11Provider = (options: Pkcs11Options, service: string): Pkcs11Provider =>
  new Pkcs11Provider({
    module: options.module,
    tokenLabel: options.token,
    pin: () => readPin(options),
    keyLabel: `${options.labelPrefix ?? 'holdfast'}-${service}`,
  });
