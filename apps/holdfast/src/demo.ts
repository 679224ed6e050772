import { randomInt } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { events } from './commands/events.ts';
import { readConfig } from './config.ts';
import { DemoAccount } from './demo/account.ts';
import { openDemoStack } from './demo/demo-stack.ts';
import { makeImage } from './demo/image.ts';
import { type Report, runMainJob } from './demo/main-job.ts';
import { UserError } from './errors.ts';
import { formatEvent, type TimelineEvent } from './timeline.ts';

/** This file is `<repository>/dist/holdfast/demo.js`. */
const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));

const print = (text: string): void => void process.stdout.write(`${text}\n`);

const reporter = (): Report & { failures: () => number; checks: () => number } => {
  const started = Date.now();
  let [checks, failures] = [0, 0];
  return {
    step: (text) => print(`${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s  ${text}`),
    check: (text, held) => {
      checks++;
      if (!held) failures++;
      print(`          ${held ? 'ok  ' : 'FAIL'} ${text}`);
    },
    checks: () => checks,
    failures: () => failures,
  };
};

/** The events that this demonstration caused: those of its account. */
const printTimeline = async (home: string, since: Date, accountId: string): Promise<void> => {
  print('\nThe events behind this:\n');
  await events({
    ...{ home, since, follow: false, json: true, signal: new AbortController().signal },
    print: (line) => {
      if (!line.includes(accountId)) return;
      const event = JSON.parse(line) as TimelineEvent;
      print(formatEvent({ ...event, time: new Date(event.time) }));
    },
  });
};

const demo = async (): Promise<number> => {
  const report = reporter();
  const since = new Date();
  report.step('a stack to work with');
  const { stack, isOwn, close } = await openDemoStack(readConfig(process.env).home);
  report.step(`${isOwn ? 'started one' : 'found one running'} at ${stack.endpoint}, state in ${stack.home}`);
  const accountId = String(randomInt(100_000_000_000, 1_000_000_000_000 - 1));
  const image = await makeImage(REPOSITORY);
  try {
    const account = new DemoAccount(stack.endpoint, stack.home, accountId);
    await runMainJob({ account, image, home: stack.home, report });
    await printTimeline(stack.home, since, accountId);
  } finally {
    await image.remove();
    await close();
  }
  const [checks, failures] = [report.checks(), report.failures()];
  print(`\n${String(checks - failures)} of ${String(checks)} checks held.`);
  return failures === 0 ? 0 : 1;
};

try {
  process.exitCode = await demo();
} catch (error) {
  const text = error instanceof UserError ? error.message : error instanceof Error ? error.stack : String(error);
  process.stderr.write(`holdfast: ${text ?? ''}\n`);
  process.exitCode = 1;
}
