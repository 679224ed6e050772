import { existsSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { join } from 'node:path';
import type { StartService } from '@holdfast/service-kit';
import type { StackLimits } from './config.ts';
import { homePaths } from './home.ts';

/** Of the embedded stack, which has only one. */
export const HOST_ID = 'host-1';
export const LOOPBACK = '127.0.0.1';

export interface StackSettings {
  readonly home: string;
  readonly port: number;
  /** The token that holds the root keys, in place of files. */
  readonly pkcs11?: object;
  readonly limits: StackLimits;
  /** As `data-plane` reads it: the object store that blocks of snapshots are in, and the block devices of volumes. */
  readonly host?: object | undefined;
}

export interface ServiceDescription {
  readonly name: string;
  readonly database: boolean;
  /** What the service's own config.ts reads. */
  settings(stack: StackSettings): Record<string, unknown>;
}

/** In the order in which they are stopped: who asks before who answers. */
export const SERVICES: readonly ServiceDescription[] = [
  {
    name: 'api-gateway',
    database: false,
    settings: ({ port, limits: { requestRates } }) => ({ host: LOOPBACK, port, requestRates }),
  },
  { name: 'volumes', database: true, settings: () => ({}) },
  { name: 'snapshots', database: true, settings: () => ({}) },
  { name: 'instances', database: true, settings: () => ({ hostId: HOST_ID }) },
  { name: 'account-settings', database: true, settings: () => ({}) },
  {
    name: 'data-plane',
    database: false,
    settings: ({ home, host, limits: { volumeLimits } }) => ({ home, hostId: HOST_ID, volumeLimits, ...host }),
  },
  {
    name: 'identity',
    database: true,
    settings: ({ home, pkcs11 }) => (pkcs11 ? { pkcs11 } : { secretsKeyFile: homePaths(home).identityKey }),
  },
  {
    name: 'kms',
    database: true,
    settings: ({ home, pkcs11, limits: { kmsQuotas: quotas } }) => ({
      ...(pkcs11 ? { pkcs11 } : { rootKeyFile: homePaths(home).rootKey }),
      quotas,
    }),
  },
  { name: 'audit', database: true, settings: () => ({}) },
];

export type LoadService = (name: string) => Promise<StartService | undefined>;

/** Loads `<dist>/<name>/service.js`; undefined when the build has no such service. */
export const serviceLoader =
  (dist: URL): LoadService =>
  async (name) => {
    const path = join(fileURLToPath(dist), name, 'service.js');
    if (!existsSync(path)) return undefined;
    const loaded = (await import(pathToFileURL(path).href)) as { start?: StartService };
    if (typeof loaded.start !== 'function') throw new Error(`${path} exports no start`);
    return loaded.start;
  };
