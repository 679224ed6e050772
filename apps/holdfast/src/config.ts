import { resolve } from 'node:path';
import {
  blockStoreSettings,
  blockStoreVariables,
  type S3Settings,
  volumeDeviceSettings,
  type VolumeDeviceSettings,
  volumeDeviceVariables,
} from '@holdfast/block-store';
import { type NbdTlsSettings, nbdTlsSettings, nbdTlsVariables } from '@holdfast/nbd';
import { type Pkcs11Options, pkcs11Options, pkcs11Variables, RootKeyError } from '@holdfast/root-keys/pkcs11';
import { z } from 'zod';
import { UserError } from './errors.ts';

export const DEFAULT_PORT = 4566;

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;

const variables = z.object({
  HOLDFAST_HOME: z.string().min(1).default('.holdfast'),
  HOLDFAST_PORT: z
    .string()
    .regex(/^\d{1,5}$/)
    .transform(Number)
    .refine((port) => port <= 65_535)
    .default(DEFAULT_PORT),
  HOLDFAST_LOG_LEVEL: z.enum(LOG_LEVELS).default('info'),
  ...pkcs11Variables,
  HOLDFAST_REQUEST_RATES: z.string().optional(),
  HOLDFAST_KMS_QUOTAS: z.string().optional(),
  HOLDFAST_VOLUME_LIMITS: z.enum(['enforced', 'off']).optional(),
  ...blockStoreVariables,
  ...volumeDeviceVariables,
  ...nbdTlsVariables,
  HOLDFAST_REQUESTS: z.enum(['local', 'nats']).default('local'),
});

const MEANING: Record<keyof typeof variables.shape, string> = {
  HOLDFAST_HOME: 'a folder',
  HOLDFAST_PORT: 'a TCP port, 0 for any free one',
  HOLDFAST_LOG_LEVEL: `one of ${LOG_LEVELS.join(', ')}`,
  HOLDFAST_PKCS11_MODULE: 'the path of a PKCS#11 module',
  HOLDFAST_PKCS11_TOKEN: 'the label of a token',
  HOLDFAST_PKCS11_PIN: 'a PIN',
  HOLDFAST_PKCS11_PIN_FILE: 'the path of a file with a PIN',
  HOLDFAST_PKCS11_LABEL_PREFIX: 'what the labels of keys begin with',
  HOLDFAST_REQUEST_RATES: 'off, aws, or some like aws,kms:CreateKey=10',
  HOLDFAST_KMS_QUOTAS: 'some like keys=500,aliasesPerKey=10',
  HOLDFAST_VOLUME_LIMITS: 'enforced or off',
  HOLDFAST_BLOCK_STORE: 'folder, or s3://<bucket>/<prefix>',
  HOLDFAST_S3_ENDPOINT: 'a URL',
  HOLDFAST_S3_REGION: 'the name of a Region',
  HOLDFAST_S3_PATH_STYLE: 'yes or no',
  HOLDFAST_S3_CA_FILE: 'the path of a PEM file',
  HOLDFAST_S3_CREDENTIALS_FILE: 'the path of a file like ~/.aws/credentials',
  HOLDFAST_VOLUME_IO: 'buffered or direct',
  HOLDFAST_VOLUME_DEVICES: 'paths of block devices, or of folders of them',
  HOLDFAST_VOLUME_DEVICES_OVERWRITE: 'paths of block devices',
  HOLDFAST_NBD_TLS_LISTEN: '<host>:<port>',
  HOLDFAST_NBD_TLS_CERT_FILE: 'the path of a PEM file',
  HOLDFAST_NBD_TLS_KEY_FILE: 'the path of a PEM file',
  HOLDFAST_NBD_TLS_CLIENT_CA_FILE: 'the path of a PEM file',
  HOLDFAST_NBD_TLS_CLIENT_CRL_FILE: 'the path of a PEM file',
  HOLDFAST_REQUESTS: 'local or nats',
};

/** Absent: no request rates, AWS's quotas, and volumes that are not held to their types. */
export interface StackLimits {
  /** As `api-gateway` reads them: requests a second of each account in a Region. */
  readonly requestRates?: string | undefined;
  /** As `kms` reads them: what differs from AWS's quotas. */
  readonly kmsQuotas?: string | undefined;
  /** As `data-plane` reads it: whether volumes have the IOPS and throughput of their types. */
  readonly volumeLimits?: 'enforced' | 'off' | undefined;
}

export interface Config {
  /** Absolute. */
  readonly home: string;
  /** 0: any free one. */
  readonly port: number;
  readonly logLevel: string;
  /** The token that holds the root keys, in place of files. */
  readonly pkcs11?: Pkcs11Options;
  readonly limits: StackLimits;
  /** Where blocks of snapshots are, unless they are in a folder of the home. */
  readonly blockStore?: S3Settings;
  readonly devices: VolumeDeviceSettings;
  /** Where volumes are served to guests of other hosts. */
  readonly nbdTls?: NbdTlsSettings | undefined;
  /** `local`: services ask each other within the process; `nats`: over NATS, as in a cluster. */
  readonly requests: 'local' | 'nats';
}

/** A misspelt variable would silently mean its default, so an unknown one is an error. */
const refuseUnknown = (environment: NodeJS.ProcessEnv): void => {
  const known = Object.keys(variables.shape);
  const unknown = Object.keys(environment).filter((name) => name.startsWith('HOLDFAST_') && !known.includes(name));
  if (unknown.length > 0)
    throw new UserError(`unknown variable ${unknown.sort().join(', ')}: there are only ${known.join(', ')}`);
};

/** @throws UserError when some variables of a token are missing */
const tokenOf = (values: z.infer<typeof variables>): Pkcs11Options | undefined => {
  try {
    return pkcs11Options(values);
  } catch (error) {
    throw error instanceof RootKeyError ? new UserError(error.message) : error;
  }
};

/** @throws UserError in place of the Error that names a variable. */
const told = <Settings>(read: () => Settings): Settings => {
  try {
    return read();
  } catch (error) {
    throw new UserError((error as Error).message);
  }
};

/** An empty variable counts as absent. @throws UserError naming the variable that is unknown or makes no sense. */
export const readConfig = (environment: NodeJS.ProcessEnv): Config => {
  refuseUnknown(environment);
  const set = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = variables.safeParse(set);
  if (!parsed.success) {
    const name = String(parsed.error.issues[0]?.path[0]) as keyof typeof MEANING;
    throw new UserError(`${name}=${environment[name] ?? ''} makes no sense: it must be ${MEANING[name]}`);
  }
  const { HOLDFAST_HOME, HOLDFAST_PORT, HOLDFAST_LOG_LEVEL } = parsed.data;
  const pkcs11 = tokenOf(parsed.data);
  const { HOLDFAST_REQUEST_RATES: requestRates, HOLDFAST_KMS_QUOTAS: kmsQuotas } = parsed.data;
  const { HOLDFAST_VOLUME_LIMITS: volumeLimits } = parsed.data;
  const limits = { requestRates, kmsQuotas, volumeLimits };
  const { HOLDFAST_REQUESTS: requests } = parsed.data;
  const blockStore = told(() => blockStoreSettings(parsed.data));
  return {
    ...{ home: resolve(HOLDFAST_HOME), port: HOLDFAST_PORT, logLevel: HOLDFAST_LOG_LEVEL, limits, pkcs11, requests },
    ...(blockStore === null ? {} : { blockStore }),
    devices: volumeDeviceSettings(parsed.data),
    nbdTls: told(() => nbdTlsSettings(parsed.data)),
  };
};
