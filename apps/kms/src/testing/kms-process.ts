import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ServiceEnvironment } from '@holdfast/service-kit';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../../../../', import.meta.url));

/** The service's main program, bundled as the build does it, to be started and killed as a process. */
export class KmsProgram {
  private readonly running = new Set<ChildProcess>();

  private constructor(private readonly folder: string) {}

  static async build(): Promise<KmsProgram> {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-kms-main-'));
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
    await build({
      entryPoints: [join(root, 'apps/kms/src/main.ts')],
      outfile: join(folder, 'main.mjs'),
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      tsconfig: join(root, 'tsconfig.base.json'),
      plugins: [
        {
          name: 'third-party-stays-outside',
          setup: (b) =>
            b.onResolve({ filter: /^[^./]/ }, ({ path }) =>
              path.startsWith('@holdfast/') ? undefined : { path, external: true },
            ),
        },
      ],
    });
    return new KmsProgram(folder);
  }

  /** Resolves once it says that it has started. */
  async start(environment: ServiceEnvironment, rootKeyFile: string): Promise<ChildProcess> {
    const { nats, databaseUrl = '', migrationDatabaseUrl = '' } = environment;
    const child = spawn(process.execPath, [join(this.folder, 'main.mjs')], {
      env: {
        PATH: process.env['PATH'],
        HOLDFAST_MODE: 'development',
        HOLDFAST_DATABASE_URL: databaseUrl,
        HOLDFAST_MIGRATION_DATABASE_URL: migrationDatabaseUrl,
        HOLDFAST_NATS_URL: nats.servers,
        HOLDFAST_NATS_USER: nats.user,
        HOLDFAST_NATS_PASSWORD: nats.password,
        HOLDFAST_KMS_ROOT_KEY_FILE: rootKeyFile,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.running.add(child);
    child.once('exit', () => this.running.delete(child));
    let output = '';
    await new Promise<void>((resolve, reject) => {
      child.stdout.on('data', (data: Buffer) => {
        output += data.toString();
        if (output.includes('"msg":"started"')) resolve();
      });
      child.once('exit', () => reject(new Error(`kms did not start: ${output}`)));
    });
    return child;
  }

  /** What a power cut does to a process; one that has ended already stays so. */
  async kill(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  /** Whatever a test has left running, whether it passed or not. */
  async killAll(): Promise<void> {
    await Promise.all([...this.running].map((child) => this.kill(child)));
  }

  async remove(): Promise<void> {
    await this.killAll();
    await rm(this.folder, { recursive: true });
  }
}
