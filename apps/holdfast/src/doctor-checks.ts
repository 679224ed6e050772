import { accessSync, constants, existsSync, readFileSync, statfsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { checkPostgres, findNatsServer, isPortFree } from '@holdfast/embedded';
import type { Config } from './config.ts';
import { homePaths, LAYOUT_VERSION, MAX_HOME_BYTES } from './home.ts';
import { checkNats, parseNatsUrl } from './nats.ts';
import { checkRootKeys } from './root-keys-check.ts';
import { LOOPBACK, SERVICES } from './services.ts';
import { readStackFile } from './stack-file.ts';

export interface Finding {
  /** `warn`: everything starts, but something a user may want is missing. */
  readonly status: 'ok' | 'warn' | 'fail';
  readonly detail: string;
  /** What to do about it. */
  readonly remedy?: string;
}

export interface DoctorContext {
  readonly config: Config;
  readonly natsUrl?: string;
  /** The folder of the build. */
  readonly dist: string;
  readonly nodeVersion: string;
}

export interface Check {
  readonly name: string;
  run(context: DoctorContext): Finding | Promise<Finding>;
}

const NATIVE_ADDON = ['libs', 'crypto', 'native', 'build', 'xts.node'];
const GIB = 1024 ** 3;
const LEAST_FREE_BYTES = 1 * GIB;
const LITTLE_FREE_BYTES = 5 * GIB;
const NBD_TOOLS = ['nbdinfo', 'nbdcopy', 'qemu-img', 'qemu-io', 'fio'];

/** Of each release line that is supported, the first version with everything we use. */
export const checkNode = (version: string): Finding => {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return { status: 'ok', detail: version };
  return {
    status: 'fail',
    detail: `${version} is too old`,
    remedy: 'install Node 20.19 or later; 22 and 24 are faster',
  };
};

const failed = (error: unknown, remedy?: string): Finding => ({
  status: 'fail',
  detail: error instanceof Error ? error.message : String(error),
  remedy,
});

const postgres = (): Finding => {
  try {
    const { version, runsAs } = checkPostgres();
    return { status: 'ok', detail: `${version}, runs ${runsAs}` };
  } catch (error) {
    return failed(error, 'run "npm ci" in the checkout, with optional packages; as root, allow user namespaces');
  }
};

const natsServer = async ({ natsUrl }: DoctorContext): Promise<Finding> => {
  if (natsUrl !== undefined) {
    try {
      const access = parseNatsUrl(natsUrl);
      await checkNats(access);
      return { status: 'ok', detail: `${access.servers}, from NATS_URL` };
    } catch (error) {
      return failed(error, 'start that server with -js, or unset NATS_URL to use one of our own');
    }
  }
  const found = findNatsServer();
  if (found !== undefined) return { status: 'ok', detail: `${found.version}, ${found.path}` };
  const remedy = 'install nats-server, run "node tools/postinstall.mjs" with a network, or set NATS_URL';
  return { status: 'fail', detail: 'not found', remedy };
};

const services = ({ dist }: DoctorContext): Finding => {
  const missing = SERVICES.filter(({ name }) => !existsSync(join(dist, name, 'service.js'))).map(({ name }) => name);
  if (missing.length === 0) return { status: 'ok', detail: `${SERVICES.length} in ${dist}` };
  return { status: 'fail', detail: `not built: ${missing.join(', ')}`, remedy: 'run "npm run build"' };
};

const nativeAddon = ({ dist }: DoctorContext): Finding => {
  const path = join(dist, '..', ...NATIVE_ADDON);
  try {
    createRequire(import.meta.url)(path);
    return { status: 'ok', detail: 'XTS in native code' };
  } catch {
    const detail = `${existsSync(path) ? 'does not load' : 'not built'}: volumes are encrypted by JavaScript, several times slower`;
    return { status: 'warn', detail, remedy: 'install a C compiler and run "node tools/postinstall.mjs"' };
  }
};

const port = async ({ config }: DoctorContext): Promise<Finding> => {
  if (config.port === 0) return { status: 'ok', detail: 'any free one' };
  if (await isPortFree(config.port, LOOPBACK)) return { status: 'ok', detail: `${config.port} is free` };
  try {
    const { endpoint, pid } = readStackFile(config.home);
    if (endpoint.endsWith(`:${config.port}`))
      return { status: 'ok', detail: `${config.port}, in use by our stack (process ${pid})` };
  } catch {
    // Falls through: somebody else's.
  }
  return {
    status: 'fail',
    detail: `${config.port} is taken by another program`,
    remedy: 'choose another with HOLDFAST_PORT',
  };
};

/** The folder itself, or the nearest one above it that exists. */
const nearestExisting = (path: string): string => (existsSync(path) ? path : nearestExisting(dirname(path)));

export const checkHome = (home: string): Finding => {
  const remedy = 'set HOLDFAST_HOME to another folder';
  const bytes = Buffer.byteLength(home);
  if (bytes > MAX_HOME_BYTES) {
    const detail = `${home} is ${bytes - MAX_HOME_BYTES} bytes too long for the sockets of attached volumes under it`;
    return { status: 'fail', detail, remedy: 'set HOLDFAST_HOME to a shorter path' };
  }
  try {
    accessSync(nearestExisting(home), constants.R_OK | constants.W_OK | constants.X_OK);
  } catch {
    return { status: 'fail', detail: `${nearestExisting(home)} may not be written`, remedy };
  }
  if (!existsSync(home)) return { status: 'ok', detail: `${home}, made at the first start` };
  const { version: versionFile } = homePaths(home);
  if (!existsSync(versionFile)) return { status: 'ok', detail: `${home}, not used yet` };
  const version = readFileSync(versionFile, 'utf8').trim();
  if (version === String(LAYOUT_VERSION)) return { status: 'ok', detail: home };
  const detail = `${home} has layout version ${version}, this program reads version ${LAYOUT_VERSION}`;
  return { status: 'fail', detail, remedy };
};

const diskSpace = ({ config }: DoctorContext): Finding => {
  const { bavail, bsize } = statfsSync(nearestExisting(config.home));
  const freeBytes = bavail * bsize;
  const detail = `${(freeBytes / GIB).toFixed(1)} GiB free`;
  if (freeBytes >= LITTLE_FREE_BYTES) return { status: 'ok', detail };
  const remedy = 'make room, or set HOLDFAST_HOME to a folder on another disk';
  return { status: freeBytes < LEAST_FREE_BYTES ? 'fail' : 'warn', detail, remedy };
};

const onPath = (name: string): boolean =>
  (process.env['PATH'] ?? '').split(delimiter).some((folder) => folder !== '' && existsSync(join(folder, name)));

const nbdTools = (): Finding => {
  const missing = NBD_TOOLS.filter((name) => !onPath(name));
  if (missing.length === 0) return { status: 'ok', detail: NBD_TOOLS.join(', ') };
  const remedy = 'only to use attached volumes from the shell: apt-get install libnbd-bin qemu-utils fio';
  return { status: 'warn', detail: `not on PATH: ${missing.join(', ')}`, remedy };
};

export const CHECKS: readonly Check[] = [
  { name: 'Node', run: ({ nodeVersion }) => checkNode(nodeVersion) },
  { name: 'Postgres', run: postgres },
  { name: 'nats-server', run: natsServer },
  { name: 'services', run: services },
  { name: 'native addon', run: nativeAddon },
  { name: 'port', run: port },
  { name: 'state folder', run: ({ config }) => checkHome(config.home) },
  { name: 'root keys', run: checkRootKeys },
  { name: 'disk', run: diskSpace },
  { name: 'NBD tools', run: nbdTools },
];
