import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbeddedServerError } from './errors.ts';
import { postgresBinaries } from './postgres-binaries.ts';
import { unprivilegedPrefix } from './unprivileged.ts';

export interface PostgresCheck {
  readonly path: string;
  /** As the binary says, for example `18.4`. */
  readonly version: string;
  /** How it runs; other than as this user only when that is root. */
  readonly runsAs: 'as this user' | 'in a user namespace' | 'as another user';
}

/**
 * Runs the installed Postgres as a start would, without starting a server.
 * @throws EmbeddedServerError when it is not installed, lacks libraries, or may not run as this user.
 */
export const checkPostgres = (): PostgresCheck => {
  const { postgres } = postgresBinaries();
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-check-'));
  try {
    const prefix = unprivilegedPrefix(postgres, folder);
    const [file = '', ...args] = [...prefix, postgres, '--version'];
    const version = /(\d+\.\d+)/.exec(execFileSync(file, args, { encoding: 'utf8', stdio: 'pipe' }))?.[1] ?? 'unknown';
    const runsAs =
      prefix[0] === undefined ? 'as this user' : prefix[0] === 'unshare' ? 'in a user namespace' : 'as another user';
    return { path: postgres, version, runsAs };
  } catch (error) {
    if (error instanceof EmbeddedServerError) throw error;
    const reason =
      String((error as { stderr?: string }).stderr || (error as Error).message)
        .trim()
        .split('\n')[0] ?? '';
    throw new EmbeddedServerError(`Postgres does not run here: ${reason}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};
