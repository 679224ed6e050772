import { Command, CommanderError, Option } from 'commander';
import { EmbeddedServerError } from '@holdfast/embedded';
import { up } from './commands/up.ts';
import { readConfig } from './config.ts';
import { UserError } from './errors.ts';
import { serviceLoader } from './services.ts';

/** The folder with one folder per app; this file is `<dist>/holdfast/main.js`. */
const DIST = new URL('../', import.meta.url);
/** After everything was stopped nothing should keep the process; something that does is not worth waiting for. */
const LINGER_MS = 2_000;

const print = (text: string): void => void process.stdout.write(`${text}\n`);
const report = (line: string): void => void process.stderr.write(`holdfast: ${line}\n`);

const program = new Command('holdfast').description(
  'Encrypted block storage behind Amazon’s EC2, EBS and KMS interfaces.',
);

const portOption = new Option('-p, --port <number>', 'TCP port of the endpoint, 0 for any free one').env(
  'HOLDFAST_PORT',
);

program
  .command('up')
  .description('run the whole stack until Ctrl-C')
  .option('--ephemeral', 'keep state in a temporary folder and remove it at the end', false)
  .addOption(portOption)
  .action(async ({ ephemeral, port }: { ephemeral: boolean; port?: string }) => {
    const environment = port === undefined ? process.env : { ...process.env, HOLDFAST_PORT: port };
    const natsUrl = process.env['NATS_URL'] || undefined;
    await up({ config: readConfig(environment), ephemeral, natsUrl, loadService: serviceLoader(DIST), print, report });
  });

const describe = (error: unknown): string => {
  if (error instanceof UserError || error instanceof EmbeddedServerError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
};

process.stdout.on('error', () => undefined); // A reader that went away, as in `holdfast events | head`.
program.exitOverride();
try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode;
  else {
    report(describe(error));
    process.exitCode = 1;
  }
}
setTimeout(() => process.exit(), LINGER_MS).unref();
