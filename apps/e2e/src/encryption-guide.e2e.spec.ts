import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasAwsCli, type Outcome, partsOf, runSession, SESSION_LIMIT_MS } from './shell-session.ts';
import { type Stack, startStack } from './stack.ts';

const run = promisify(execFile);

/** Takes away what a session with devices that failed left behind. */
const CLOSE_DEVICES = [
  'umount mnt/* 2> /dev/null',
  'losetup --list --noheadings --output NAME,BACK-FILE 2> /dev/null | grep -F "$PWD/guest/" | cut -d" " -f1 | xargs -r losetup --detach',
  'umount guest/* 2> /dev/null',
  'true',
].join('; ');

/** @returns why no volume can be mounted here; null when it can. */
const whyNoMounts = async (): Promise<string | null> => {
  if (process.getuid?.() !== 0) return 'only root may mount';
  for (const device of ['/dev/fuse', '/dev/loop-control']) {
    const error = await access(device, constants.R_OK | constants.W_OK).then(() => null, String);
    if (error !== null) return error;
  }
  for (const program of ['losetup', 'mkfs.ext4', 'fsck.ext4', 'mount'])
    if ((await run('sh', ['-c', `command -v ${program}`]).catch(() => null)) === null) return `there is no ${program}`;
  // Devices may be there to be seen only.
  return run('sh', ['-c', 'd=$(losetup --find --show --read-only /etc/hostname) && losetup --detach "$d"']).then(
    () => null,
    (error: unknown) => String((error as { stderr?: unknown }).stderr),
  );
};

const awsCli = await hasAwsCli();
const noMounts = await whyNoMounts();
if (!awsCli) process.stderr.write('NOT RUN: the encryption guide, since there is no aws command on this machine\n');
else if (noMounts !== null) process.stderr.write(`NOT RUN: a guest with two file systems: ${noMounts}\n`);
const [guide, guest] = await Promise.all([partsOf('encryption-guide.md'), partsOf('guest.md')]);

describe.runIf(awsCli)('documents that are shell sessions', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack();
  }, SESSION_LIMIT_MS);
  afterAll(() => stack.stop());

  describe('the encryption guide', () => {
    let outcome: Outcome;
    beforeAll(async () => {
      outcome = await runSession(stack, guide, { programs: ['nbdcopy'] });
    }, SESSION_LIMIT_MS + 60_000);
    it.each(guide.map(({ heading }, at) => [heading, at] as const))('%s', (_heading, at) => {
      expect(outcome.held, outcome.complaint).toContain(String(at));
    });
  });

  describe.runIf(noMounts === null)('a guest with two file systems', () => {
    let outcome: Outcome;
    beforeAll(async () => {
      outcome = await runSession(stack, guest, { programs: ['nbdfuse', 'rsync'], atExit: CLOSE_DEVICES });
    }, SESSION_LIMIT_MS + 60_000);
    it.each(guest.map(({ heading }, at) => [heading, at] as const))('%s', (_heading, at) => {
      expect(outcome.held, outcome.complaint).toContain(String(at));
    });
  });
});
