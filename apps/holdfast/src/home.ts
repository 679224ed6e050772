import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { UserError } from './errors.ts';

/** Raised when an older program could not read what a newer one writes, or the other way round. */
export const LAYOUT_VERSION = 1;

/** `<home>/instances/<instance id>/dev/<name>` is a unix socket, whose path the system limits to 107 bytes. */
export const MAX_HOME_BYTES = 60;

/** Paths of one state folder. */
export const homePaths = (home: string) => ({
  version: join(home, 'version'),
  lock: join(home, 'lock'),
  secrets: join(home, 'secrets.json'),
  stack: join(home, 'stack.json'),
  logs: join(home, 'logs'),
  postgres: join(home, 'postgres'),
  nats: join(home, 'nats'),
  keys: join(home, 'keys'),
  rootKey: join(home, 'keys', 'root.key'),
  identityKey: join(home, 'keys', 'identity.key'),
});

/** Replaces a file as a whole: a reader, or a crash, never sees half of it. Mode 0600. */
export const writePrivateFile = (path: string, text: string): void => {
  const aside = `${path}.${process.pid}.tmp`;
  writeFileSync(aside, text, { mode: 0o600 });
  renameSync(aside, path);
};

/**
 * Makes the state folder, or checks that it is one that this program can read. Only its owner may enter it.
 * @returns its real path.
 * @throws UserError when it is something else, or of another version.
 */
export const openHome = (folder: string): string => {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const home = realpathSync(folder);
    if (Buffer.byteLength(home) > MAX_HOME_BYTES)
      throw new UserError(
        `${home} is too long for a state folder, since the sockets of attached volumes are under it: ` +
          `set HOLDFAST_HOME to a path of at most ${MAX_HOME_BYTES} bytes`,
      );
    const paths = homePaths(home);
    if (!existsSync(paths.version)) {
      if (readdirSync(home).length > 0)
        throw new UserError(
          `${home} is not empty and not a state folder of Holdfast: set HOLDFAST_HOME to another one`,
        );
      writePrivateFile(paths.version, `${LAYOUT_VERSION}\n`);
    }
    const version = readFileSync(paths.version, 'utf8').trim();
    if (version !== String(LAYOUT_VERSION))
      throw new UserError(
        `the state folder ${home} has layout version ${version}, this program reads version ${LAYOUT_VERSION}: ` +
          'use the program that wrote it, or set HOLDFAST_HOME to another folder',
      );
    chmodSync(home, 0o700);
    for (const path of [paths.logs, paths.keys]) mkdirSync(path, { recursive: true, mode: 0o700 });
    return home;
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`cannot use ${folder} as the state folder: ${(error as Error).message}`);
  }
};

const secretsSchema = z.object({
  postgres: z.string(),
  nats: z.string(),
  /** By service: passwords of the role that owns its database and of the role that it runs as. */
  roles: z.record(z.string(), z.object({ owner: z.string(), service: z.string() })),
});
export type Secrets = z.infer<typeof secretsSchema>;

const newPassword = (): string => randomBytes(24).toString('hex');

/** Passwords of this state folder, made when first needed. */
export const readSecrets = (home: string, services: readonly string[]): Secrets => {
  const path = homePaths(home).secrets;
  let secrets: Secrets = { postgres: newPassword(), nats: newPassword(), roles: {} };
  if (existsSync(path)) {
    try {
      secrets = secretsSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
    } catch {
      throw new UserError(`${path} is damaged, and without it the databases beside it cannot be opened: restore it`);
    }
  }
  const missing = services.filter((name) => secrets.roles[name] === undefined);
  for (const name of missing) secrets.roles[name] = { owner: newPassword(), service: newPassword() };
  if (missing.length > 0 || !existsSync(path)) writePrivateFile(path, `${JSON.stringify(secrets, null, 2)}\n`);
  return secrets;
};
