import { spawnSync } from 'node:child_process';
import { chownSync, lstatSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { EmbeddedServerError } from './errors.ts';

/** The user `nobody`. initdb wants a user that the system knows, and this one is known nearly everywhere. */
const NOBODY_ID = 65_534;

/** Inside, this user's files and processes are nobody's, and nothing else is. */
const NAMESPACE = ['unshare', '--user', `--map-user=${NOBODY_ID}`, `--map-group=${NOBODY_ID}`, '--'];

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

/** Whether the system has a name for this user. */
const isKnown = (uid: number): boolean => spawnSync('id', ['-un', '--', String(uid)], { stdio: 'ignore' }).status === 0;

/** Started through sudo in a user's folder: that user. Files of an earlier such start keep their owner. */
const userFor = (dataDir: string): { uid: number; gid: number } => {
  const candidates = [statSync(dataDir), statSync(dirname(dataDir))];
  const owner = candidates.find(({ uid }) => uid !== 0 && isKnown(uid));
  return owner ?? { uid: NOBODY_ID, gid: NOBODY_ID };
};

/**
 * What to put before a command that refuses to run as root or as a user without a name, so that it may use `dataDir`.
 * Nothing for an ordinary user. Else a user namespace, in which this user is another one, so that no file has to change
 * hands. Where the system forbids namespaces, root becomes another user, who may still pass folders that are root's alone.
 * @throws EmbeddedServerError when neither works here.
 */
export const unprivilegedPrefix = (binary: string, dataDir: string): readonly string[] => {
  const ownId = process.getuid?.();
  if (ownId === undefined || (ownId !== 0 && isKnown(ownId))) return [];
  if (statSync(dataDir).uid === ownId && works(NAMESPACE, binary, dataDir)) return NAMESPACE;
  if (ownId === 0) {
    const { uid, gid } = userFor(dataDir);
    const prefix = asUser(uid, gid);
    if (works(prefix, binary, dataDir)) {
      if (statSync(dataDir).uid !== uid) giveTo(uid, gid, dataDir);
      return prefix;
    }
  }
  throw new EmbeddedServerError(
    'Postgres refuses to run as root or as a user without a name, and neither "unshare --user" nor "setpriv" may be used ' +
      'here: run as an ordinary user',
  );
};
