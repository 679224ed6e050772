import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
// One unpacker serves this and `npm ci`, which runs before there are packages to import from.
import { unpackDebianPackages } from '../../../tools/debian/unpack.mjs';
import { EmbeddedServerError } from './errors.ts';

export interface NatsServerBinary {
  readonly path: string;
  /** As the binary says, for example `2.9.10`. */
  readonly version: string;
}

/** The checkout this code was built from; none when it was installed as a package. */
const repositoryRoot = (): string | undefined => {
  for (let folder = dirname(fileURLToPath(import.meta.url)); folder !== dirname(folder); folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    if (existsSync(manifest) && /"name": "holdfast"/.test(readFileSync(manifest, 'utf8'))) return folder;
  }
  return undefined;
};

/** Where a fetched nats-server is kept: in the checkout, else among the user's caches. */
export const natsServerCacheDir = (): string => {
  const root = repositoryRoot();
  if (root !== undefined) return join(root, '.cache', 'nats-server');
  const caches = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  return join(caches, 'holdfast', 'nats-server');
};

const versionOf = (path: string): string | undefined => {
  try {
    accessSync(path, constants.X_OK);
    return /v?(\d+\.\d+\.\d+\S*)/.exec(execFileSync(path, ['--version'], { encoding: 'utf8', timeout: 5000 }))?.[1];
  } catch {
    return undefined;
  }
};

const cached = (cacheDir: string): string => join(cacheDir, 'usr', 'sbin', 'nats-server');

/** A nats-server on PATH, else the one fetched earlier; undefined when there is neither. */
export const findNatsServer = (cacheDir = natsServerCacheDir()): NatsServerBinary | undefined => {
  const onPath = (process.env['PATH'] ?? '').split(delimiter).filter(Boolean);
  for (const path of [...onPath, '/usr/sbin', '/usr/local/sbin']
    .map((folder) => join(folder, 'nats-server'))
    .concat(cached(cacheDir))) {
    const version = versionOf(path);
    if (version !== undefined) return { path, version };
  }
  return undefined;
};

/**
 * Finds nats-server, or unpacks the distribution's package into the cache; needs no root and installs nothing.
 * @throws EmbeddedServerError when the system has no such package or cannot reach it.
 */
export const provisionNatsServer = async (cacheDir = natsServerCacheDir()): Promise<NatsServerBinary> => {
  const found = findNatsServer(cacheDir);
  if (found !== undefined) return found;
  let reason = 'the package has no binary for this machine';
  try {
    await unpackDebianPackages(['nats-server'], cacheDir);
    const path = cached(cacheDir);
    const version = versionOf(path);
    if (version !== undefined) return { path, version };
  } catch (error) {
    reason = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
  }
  throw new EmbeddedServerError(
    `nats-server is missing and cannot be fetched (${reason}): install nats-server, or set NATS_URL to a server with JetStream`,
  );
};
