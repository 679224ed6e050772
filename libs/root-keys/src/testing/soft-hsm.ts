import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { debianTool } from '../../../../tools/testing/debian-tools.mjs';
import type { Pkcs11Options } from '../pkcs11/settings.ts';

const run = promisify(execFile);

/** Beside the folder of the program, in Debian's places and in others'. */
const moduleOf = (program: string): string => {
  const lib = join(dirname(dirname(program)), 'lib');
  const folders = [lib, `${lib}64`, ...readdirSync(lib).map((folder) => join(lib, folder))];
  const path = folders.map((folder) => join(folder, 'softhsm', 'libsofthsm2.so')).find(existsSync);
  if (path === undefined) throw new Error(`there is no libsofthsm2.so beside ${program}`);
  return path;
};

export interface SoftHsm {
  readonly module: string;
  /** What processes need in their environment to see the same tokens. */
  readonly environment: Readonly<Record<string, string>>;
  /** Makes a token. */
  newToken(label: string, pin: string): Promise<Pkcs11Options>;
  /** Runs softhsm2-util on these tokens. */
  util(...args: string[]): Promise<void>;
  remove(): Promise<void>;
}

/**
 * SoftHSM2 with tokens in a folder of its own. The module reads its configuration when it is first used, so there is one of
 * these in a process.
 */
export const startSoftHsm = async (): Promise<SoftHsm> => {
  const { path, env } = await debianTool('softhsm2-util');
  const module = moduleOf(path);
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-softhsm-'));
  const SOFTHSM2_CONF = join(folder, 'softhsm2.conf');
  await mkdir(join(folder, 'tokens'));
  await writeFile(
    SOFTHSM2_CONF,
    `directories.tokendir = ${join(folder, 'tokens')}\nobjectstore.backend = file\nlog.level = ERROR\n`,
  );
  process.env['SOFTHSM2_CONF'] = SOFTHSM2_CONF;
  const util = async (...args: string[]) => {
    await run(path, ['--module', module, ...args], { env: { ...env, SOFTHSM2_CONF } });
  };
  return {
    module,
    environment: { SOFTHSM2_CONF },
    newToken: async (label, pin) => {
      await util('--init-token', '--free', '--label', label, '--pin', pin, '--so-pin', `so-${pin}`);
      return { module, token: label, pin };
    },
    util,
    remove: () => rm(folder, { recursive: true, force: true }),
  };
};
