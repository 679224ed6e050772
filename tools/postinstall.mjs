// Runs after `npm ci`, so that `npm start` finds what it needs and asks no network. What cannot be had here does not fail
// the install: each step says so in one line, and the program that needs it says what to do about it.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { buildNative } from './build-native.mjs';
import { unpackDebianPackages } from './debian/unpack.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

const runs = (binary) => {
  try {
    execFileSync(binary, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

/** The folder is where libs/embedded looks for it. */
const provideNatsServer = async () => {
  if (process.env.NATS_URL) return 'nats-server: that of NATS_URL is used';
  const cache = join(root, '.cache', 'nats-server');
  if (runs('nats-server')) return 'nats-server: found on PATH';
  if (existsSync(join(cache, 'usr/sbin/nats-server'))) return 'nats-server: in .cache';
  await unpackDebianPackages(['nats-server'], cache);
  return 'nats-server: unpacked into .cache';
};

const STEPS = {
  'nats-server': provideNatsServer,
  xts: () => buildNative('xts'),
  holes: () => buildNative('holes'),
  pkcs11: () => buildNative('pkcs11'),
};

for (const [name, step] of Object.entries(STEPS)) {
  try {
    console.log(`holdfast: ${await step()}`);
  } catch (error) {
    console.log(`holdfast: ${name}: ${error.message.split('\n')[0]}; "npx holdfast doctor" says more`);
  }
}
