import { statSync } from 'node:fs';
import { pkcs11Provider, type Pkcs11Options, RootKeyError } from '@holdfast/root-keys/pkcs11';
import { ROOT_KEY_SERVICES } from './commands/root-key.ts';
import type { DoctorContext, Finding } from './doctor-checks.ts';
import { homePaths } from './home.ts';

const checkToken = async (options: Pkcs11Options): Promise<Finding> => {
  const found: string[] = [];
  try {
    for (const service of ROOT_KEY_SERVICES) {
      const provider = pkcs11Provider(options, service);
      const versions = await provider.versions().finally(() => provider.close());
      if (versions.length === 0) {
        const detail = `token ${options.token} has no root key of ${service}`;
        return { status: 'fail', detail, remedy: `holdfast root-key create ${service}` };
      }
      found.push(`${String(versions.length)} of ${service}`);
    }
    return { status: 'ok', detail: `token ${options.token}: ${found.join(', ')}` };
  } catch (error) {
    if (!(error instanceof RootKeyError)) throw error;
    return { status: 'fail', detail: error.message, remedy: 'see docs/root-keys.md' };
  }
};

const checkFiles = (home: string): Finding => {
  const { rootKey, identityKey, keys } = homePaths(home);
  for (const file of [rootKey, identityKey]) {
    const mode = statSync(file, { throwIfNoEntry: false })?.mode ?? 0;
    if ((mode & 0o077) !== 0) {
      return { status: 'fail', detail: `${file} can be read by others`, remedy: `chmod 600 ${file}` };
    }
  }
  return { status: 'ok', detail: `in files below ${keys}` };
};

/** Whether the root keys can be used from where they are. */
export const checkRootKeys = ({ config }: Pick<DoctorContext, 'config'>): Finding | Promise<Finding> =>
  config.pkcs11 === undefined ? checkFiles(config.home) : checkToken(config.pkcs11);
