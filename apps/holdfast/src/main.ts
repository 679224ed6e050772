import { fileURLToPath } from 'node:url';
import { Command, CommanderError } from 'commander';
import { EmbeddedServerError } from '@holdfast/embedded';
import { openObjects } from '@holdfast/block-store';
import { blocksReindex, blocksVerify } from './commands/blocks-verify.ts';
import { doctor } from './commands/doctor.ts';
import { events } from './commands/events.ts';
import { explain } from './commands/explain.ts';
import { exportSnapshot, type ExportOptions } from './commands/export-snapshot.ts';
import { keysImpact, parseChange } from './commands/keys-impact.ts';
import { keysUsage, type UsageOptions } from './commands/keys-usage.ts';
import { notifications } from './commands/notifications.ts';
import { discardParked, listParked, retryParked, withParkedEvents } from './commands/parked.ts';
import {
  createRootKey,
  natsOf,
  parseOwner,
  retireRootKey,
  ROOT_KEY_SERVICES,
  rootKeyStatus,
  rotateRootKey,
  withServices,
} from './commands/root-key.ts';
import { up } from './commands/up.ts';
import { readConfig } from './config.ts';
import { CHECKS } from './doctor-checks.ts';
import { UserError } from './errors.ts';
import { serviceLoader } from './services.ts';
import { parseSince } from './timeline.ts';

/** The folder with one folder per app; this file is `<dist>/holdfast/main.js`. */
const DIST = new URL('../', import.meta.url);
/** After everything was stopped nothing should keep the process; something that does is not worth waiting for. */
const LINGER_MS = 2_000;

const print = (text: string): void => void process.stdout.write(`${text}\n`);
const report = (line: string): void => void process.stderr.write(`holdfast: ${line}\n`);

const program = new Command('holdfast').description(
  'Encrypted block storage behind Amazon’s EC2, EBS and KMS interfaces.',
);

const natsUrl = process.env['NATS_URL'] || undefined;

program
  .command('up')
  .description('run the whole stack until Ctrl-C')
  .option('--ephemeral', 'keep state in a temporary folder and remove it at the end', false)
  .option('-p, --port <number>', 'TCP port of the endpoint, 0 for any free one (default: HOLDFAST_PORT, else 4566)')
  .action(async ({ ephemeral, port }: { ephemeral: boolean; port?: string }) => {
    const environment = port === undefined ? process.env : { ...process.env, HOLDFAST_PORT: port };
    await up({ config: readConfig(environment), ephemeral, natsUrl, loadService: serviceLoader(DIST), print, report });
  });

program
  .command('doctor')
  .description('check what a start needs, and say how to mend what is wrong')
  .action(async () => {
    const context = {
      config: readConfig(process.env),
      natsUrl,
      dist: fileURLToPath(DIST),
      nodeVersion: process.version,
    };
    if (!(await doctor(CHECKS, context, print))) process.exitCode = 1;
  });

program
  .command('events')
  .description('print the events of all services of the running stack as one timeline')
  .option('-f, --follow', 'go on with events as they happen', false)
  .option('--since <when>', 'only events since 15m, 2h, 1d ago, or since 2026-01-31T12:00:00Z')
  .option('--json', 'one JSON object a line', false)
  .action(async ({ follow, since, json }: { follow: boolean; since?: string; json: boolean }) => {
    const end = new AbortController();
    process.once('SIGINT', () => end.abort()).once('SIGTERM', () => end.abort());
    const from = since === undefined ? new Date(0) : parseSince(since, new Date());
    await events({ home: readConfig(process.env).home, since: from, follow, json, signal: end.signal, print });
  });

const keys = program.command('keys').description('what KMS keys are used for, and what depends on them');

keys
  .command('usage')
  .description('count the uses of keys, by key, volume, principal and operation, from the log')
  .option('--key <key>', 'only of this key: id, ARN, alias')
  .option('--volume <id>', 'only for this volume, or a snapshot with a data key of its own')
  .option('--principal <arn>', 'only by this principal; * stands for anything')
  .option('--from <when>', 'only uses since 15m, 2h, 1d ago, or since 2026-01-31T12:00:00Z')
  .option('--to <when>', 'only uses before that time')
  .option('--json', 'one JSON document', false)
  .action((options: UsageOptions) => keysUsage(readConfig(process.env).home, options, print));

keys
  .command('impact <key>')
  .description('tell what would become of all that depends on a key (id, ARN, alias); changes nothing')
  .requiredOption('--if <change>', 'disable or delete')
  .option('--json', 'one JSON document', false)
  .action((key: string, { if: change, json }: { if: string; json: boolean }) =>
    keysImpact(readConfig(process.env).home, key, parseChange(change), json, print),
  );

program
  .command('explain <id>')
  .description('tell why a request was refused (by its id), or what became of a volume, snapshot or instance')
  .option('--json', 'one JSON document', false)
  .action((subject: string, { json }: { json: boolean }) =>
    explain({ home: readConfig(process.env).home, subject, json, print }),
  );

program
  .command('notifications')
  .description('print what became of volumes and snapshots, as EventBridge would be told')
  .option('-f, --follow', 'go on with notifications as they come', false)
  .option('--since <when>', 'only those since 15m, 2h, 1d ago, or since 2026-01-31T12:00:00Z')
  .option('--json', 'one EventBridge event a line', false)
  .action(async ({ follow, since, json }: { follow: boolean; since?: string; json: boolean }) => {
    const end = new AbortController();
    process.once('SIGINT', () => end.abort()).once('SIGTERM', () => end.abort());
    const from = since === undefined ? new Date(0) : parseSince(since, new Date());
    const { home } = readConfig(process.env);
    await notifications({ home, since: from, follow, json, signal: end.signal, print });
  });

const rootKey = program
  .command('root-key')
  .description('the keys that wrap all others: of the running stack, or of the services at NATS_URL');
const ownersOf = (service: string | undefined) => (service === undefined ? ROOT_KEY_SERVICES : [parseOwner(service)]);
const servicesOfRootKeys = () => natsOf(natsUrl, readConfig(process.env).home);

rootKey
  .command('status')
  .description('which version wraps how much of what; ends with 1 while anything is left under an earlier one')
  .option('--service <name>', 'only of kms or identity')
  .option('--json', 'one JSON document', false)
  .action(({ service, json }: { service?: string; json: boolean }) =>
    withServices(servicesOfRootKeys(), async (services) => {
      if (!(await rootKeyStatus(services, ownersOf(service), json, print))) process.exitCode = 1;
    }),
  );

rootKey
  .command('rotate')
  .description('make another version, and wrap everything by it while services go on')
  .option('--service <name>', 'only of kms or identity')
  .option('--anew', 'even if an earlier rotation has not ended', false)
  .option('--no-wait', 'do not wait until everything is wrapped by it')
  .action(({ service, anew, wait }: { service?: string; anew: boolean; wait: boolean }) =>
    withServices(servicesOfRootKeys(), (services) => rotateRootKey(services, ownersOf(service), { anew, wait }, print)),
  );

rootKey
  .command('retire <service> <version>')
  .description('remove a version for good, from the key file or the token; refused while anything is under it')
  .action((service: string, version: string) =>
    withServices(servicesOfRootKeys(), async (services) => {
      if (!(await retireRootKey(services, parseOwner(service), version, print))) process.exitCode = 1;
    }),
  );

rootKey
  .command('create <service>')
  .description('make the first key of a service in the PKCS#11 token that HOLDFAST_PKCS11_* name')
  .action((service: string) => createRootKey(readConfig(process.env), parseOwner(service), print));

const blocks = program.command('blocks').description('volumes and snapshots as they lie on the disk of a host');

blocks
  .command('verify')
  .description(
    'hold every block, block index and archive to its digest; changes nothing, and ends with 1 if data is lost',
  )
  .option('--home <folder>', 'of the host; default: HOLDFAST_HOME')
  .option('--json', 'one JSON document', false)
  .action(async ({ home, json }: { home?: string; json: boolean }) => {
    const { home: configured, blockStore = null } = readConfig(process.env);
    if (!(await blocksVerify(home ?? configured, json, print, openObjects(blockStore)))) process.exitCode = 1;
  });

blocks
  .command('reindex')
  .description(
    'enter the blocks and snapshots that are in the object store into the index of the host, where they are missing',
  )
  .option('--home <folder>', 'of the host; default: HOLDFAST_HOME')
  .option('--take-over', 'this host is in the place of the one that they belong to, which is gone for good', false)
  .action(async ({ home, takeOver }: { home?: string; takeOver: boolean }) => {
    const { home: configured, blockStore = null } = readConfig(process.env);
    if (!(await blocksReindex(home ?? configured, print, openObjects(blockStore), takeOver))) process.exitCode = 1;
  });

program
  .command('export <snapshot>')
  .description('serve a completed snapshot as a read-only NBD device on a unix socket until Ctrl-C, and print its URI')
  .option('--account <id>', 'whose root user reads it and uses its key', process.env['AWS_ACCESS_KEY_ID'] ?? '')
  .option(
    '--region <name>',
    'where it is',
    process.env['AWS_REGION'] ?? process.env['AWS_DEFAULT_REGION'] ?? 'us-east-1',
  )
  .action(async (snapshot: string, options: ExportOptions) => {
    const end = new AbortController();
    process.once('SIGINT', () => end.abort()).once('SIGTERM', () => end.abort());
    await exportSnapshot(natsOf(natsUrl, readConfig(process.env).home), snapshot, options, end.signal, print);
  });

const parked = program.command('parked').description('events that a service could not handle, and were set aside');

parked
  .command('list')
  .description('show them, with the reason of the last attempt')
  .option('--service <name>', 'only those of this service')
  .action(({ service }: { service?: string }) =>
    withParkedEvents(readConfig(process.env).home, (events) => listParked(events, print, service)),
  );

parked
  .command('retry [ids...]')
  .description('have them handled once more')
  .option('--all', 'all of them', false)
  .action(async (ids: string[], { all }: { all: boolean }) => {
    const { home } = readConfig(process.env);
    if (!(await withParkedEvents(home, (events) => retryParked(events, ids, all, print)))) process.exitCode = 1;
  });

parked
  .command('discard [ids...]')
  .description('drop them for good')
  .option('--all', 'all of them', false)
  .action(async (ids: string[], { all }: { all: boolean }) => {
    const { home } = readConfig(process.env);
    if (!(await withParkedEvents(home, (events) => discardParked(events, ids, all, print)))) process.exitCode = 1;
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
