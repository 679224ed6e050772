import { spawnSync } from 'node:child_process';
import { chownSync, lstatSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { EmbeddedServerError } from './errors.ts';

/** Any id but 0; inside the namespace it stands for root outside. */
const NAMESPACE_ID = 1000;
const NOBODY_ID = 65_534;

const NAMESPACE = ['unshare', '--user', `--map-user=${NAMESPACE_ID}`, `--map-group=${NAMESPACE_ID}`, '--'];

const asUser = (uid: number, gid: number): string[] => [
  'setpriv',
  `--reuid=${uid}`,
  `--regid=${gid}`,
  '--clear-groups',
  '--inh-caps=+dac_override',
  '--ambient-caps=+dac_override',
  '--',
];

const works = (prefix: readonly string[], binary: string, dataDir: string): boolean => {
  const [file = '', ...args] = [...prefix, 'sh', '-c', '"$0" --version && test -w "$1"', binary, dataDir];
  return spawnSync(file, args, { stdio: 'ignore' }).status === 0;
};

const giveTo = (uid: number, gid: number, path: string): void => {
  if (lstatSync(path).isDirectory()) for (const name of readdirSync(path)) giveTo(uid, gid, join(path, name));
  chownSync(path, uid, gid);
};

/**
 * What to put before a command that refuses to run as root, so that it may use `dataDir`. Nothing for an ordinary user.
 * For root: a user namespace in which root's files belong to an ordinary user, so nothing has to change hands. Where the
 * system forbids namespaces: another user, who may still pass folders that are root's alone.
 * @throws EmbeddedServerError when neither works here.
 */
export const unprivilegedPrefix = (binary: string, dataDir: string): readonly string[] => {
  if (process.getuid?.() !== 0) return [];
  const owner = statSync(dataDir);
  if (owner.uid === 0 && works(NAMESPACE, binary, dataDir)) return NAMESPACE;

  // Started through sudo in a user's folder: that user. Files of an earlier such start keep their owner.
  const folder = statSync(dirname(dataDir));
  const [uid, gid] =
    owner.uid !== 0 ? [owner.uid, owner.gid] : folder.uid !== 0 ? [folder.uid, folder.gid] : [NOBODY_ID, NOBODY_ID];
  const prefix = asUser(uid, gid);
  if (works(prefix, binary, dataDir)) {
    if (owner.uid !== uid) giveTo(uid, gid, dataDir);
    return prefix;
  }
  throw new EmbeddedServerError(
    'Postgres refuses to run as root, and neither "unshare --user" nor "setpriv" may be used here: run as an ordinary user',
  );
};
