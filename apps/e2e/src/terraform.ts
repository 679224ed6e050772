import { execFile } from 'node:child_process';
import { access, copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PROVIDER = join('registry.terraform.io', 'hashicorp', 'aws');
/** Where Terraform itself looks for providers, and where images commonly put them. */
const USUAL_FOLDERS = [
  join(homedir(), '.terraform.d', 'plugins'),
  join(homedir(), '.local', 'share', 'terraform', 'plugins'),
  '/usr/local/share/terraform/plugins',
  '/usr/share/terraform/plugins',
  '/opt/tf-plugins',
];

const EXAMPLE = '../../../examples/terraform/';

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** The mirrors that the command line's own configuration names. */
const configuredMirrors = async (): Promise<string[]> => {
  const path = process.env['TF_CLI_CONFIG_FILE'] ?? join(homedir(), '.terraformrc');
  const text = await readFile(path, 'utf8').catch(() => '');
  const mirrors = [...text.matchAll(/filesystem_mirror\s*\{[^}]*?path\s*=\s*"([^"]+)"/g)];
  const caches = [...text.matchAll(/plugin_cache_dir\s*=\s*"([^"]+)"/g)];
  return [...mirrors, ...caches].flatMap(([, folder]) => folder ?? []);
};

/** The folder that has the AWS provider: HOLDFAST_TEST_TERRAFORM_PLUGINS, or the first of those that are usual. */
const pluginFolder = async (): Promise<string | null> => {
  const named = process.env['HOLDFAST_TEST_TERRAFORM_PLUGINS'];
  const cache = process.env['TF_PLUGIN_CACHE_DIR'];
  const folders = [named, cache, ...(await configuredMirrors()), ...USUAL_FOLDERS];
  for (const folder of folders) if (folder && (await exists(join(folder, PROVIDER)))) return folder;
  return null;
};

interface Ended {
  readonly code: number;
  readonly output: string;
}

const run = (args: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Promise<Ended> =>
  new Promise((resolve) => {
    execFile('terraform', args, { cwd, env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      resolve({ code, output: stdout + stderr });
    });
  });

/** @returns the folder of the provider. @throws Error when Terraform cannot be run here */
export const terraformPlugins = async (): Promise<string> => {
  const { code } = await run(['version'], tmpdir(), { ...process.env, CHECKPOINT_DISABLE: '1' });
  if (code !== 0) throw new Error('there is no terraform command on this machine');
  const plugins = await pluginFolder();
  if (plugins !== null) return plugins;
  throw new Error(`no folder has ${PROVIDER}; HOLDFAST_TEST_TERRAFORM_PLUGINS names one that does`);
};

/** One configuration and its state in a folder of its own. */
export class Terraform {
  private constructor(
    private readonly folder: string,
    private readonly environment: NodeJS.ProcessEnv,
  ) {}

  /**
   * What this folder adds to the example of the repository.
   * @param whole with its volumes and what is made of them, for which the provider waits for minutes; else with its keys.
   */
  static async start(plugins: string, endpoint: string, whole: boolean): Promise<Terraform> {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-terraform-'));
    const files = ['provider.tf', 'keys.tf', ...(whole ? ['volumes.tf'] : [])].map((name) => EXAMPLE + name);
    for (const file of [...files, 'terraform.tf', ...(whole ? ['terraform-more.tf'] : [])])
      await copyFile(fileURLToPath(new URL(file, import.meta.url)), join(folder, basename(file)));
    const config = join(folder, 'terraform.rc');
    const mirror = `filesystem_mirror {\n    path = ${JSON.stringify(plugins)}\n  }`;
    await writeFile(config, `provider_installation {\n  ${mirror}\n}\n`);
    const terraform = new Terraform(folder, {
      ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(AWS|TF)_/.test(name))),
      TF_CLI_CONFIG_FILE: config,
      TF_IN_AUTOMATION: '1',
      TF_VAR_endpoint: endpoint,
      CHECKPOINT_DISABLE: '1',
    });
    await terraform.must('init');
    return terraform;
  }

  async apply(variables: Readonly<Record<string, string>> = {}): Promise<string> {
    return this.must('apply', '-auto-approve', '-refresh=false', ...variablesOf(variables));
  }

  /** What Terraform would change; null: nothing. */
  async plan(variables: Readonly<Record<string, string>> = {}): Promise<string | null> {
    const { code, output } = await this.run('plan', '-detailed-exitcode', ...variablesOf(variables));
    if (code !== 0 && code !== 2) throw new Error(output);
    return code === 0 ? null : output;
  }

  async output(name: string): Promise<string> {
    return (await this.must('output', '-raw', name)).trim();
  }

  async destroy(): Promise<string> {
    return this.must('destroy', '-auto-approve', '-refresh=false');
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  private run(command: string, ...args: string[]): Promise<Ended> {
    const plain = command === 'output' ? [] : ['-input=false'];
    return run([command, '-no-color', ...plain, ...args], this.folder, this.environment);
  }

  private async must(command: string, ...args: string[]): Promise<string> {
    const { code, output } = await this.run(command, ...args);
    if (code !== 0) throw new Error(`terraform ${command} ended with ${String(code)}:\n${output}`);
    return output;
  }
}

const variablesOf = (variables: Readonly<Record<string, string>>): string[] =>
  Object.entries(variables).flatMap(([name, value]) => ['-var', `${name}=${value}`]);
