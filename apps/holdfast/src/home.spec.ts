import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { homePaths, openHome, readSecrets } from './home.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-home-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const modeOf = (path: string): number => statSync(path).mode & 0o777;

describe('a state folder', () => {
  it('is made for its owner only, and opened again', () => {
    const home = openHome(join(folder, 'a', 'b'));
    expect(modeOf(home)).toBe(0o700);
    expect(openHome(home)).toBe(home);
  });

  it('is closed to others even when it was open', () => {
    const home = join(folder, 'open');
    mkdirSync(home);
    chmodSync(home, 0o755);
    openHome(home);
    expect(modeOf(home)).toBe(0o700);
  });

  it('is one and the same by whatever name', () => {
    const home = openHome(join(folder, 'real'));
    symlinkSync(home, join(folder, 'link'));
    expect(openHome(join(folder, 'link'))).toBe(home);
  });

  it('of another version is refused', () => {
    const home = openHome(join(folder, 'home'));
    writeFileSync(homePaths(home).version, '2\n');
    expect(() => openHome(home)).toThrow(/has layout version 2, this program reads version 1: .*HOLDFAST_HOME/);
  });

  it('is never a folder that holds something else, and that one stays as it is', () => {
    const other = join(folder, 'other');
    mkdirSync(other);
    chmodSync(other, 0o755);
    writeFileSync(join(other, 'thesis.txt'), 'years of work');
    expect(() => openHome(other)).toThrow('is not empty and not a state folder of Holdfast');
    expect(modeOf(other)).toBe(0o755);
  });

  it('is refused when the sockets under it would have too long a path', () => {
    expect(() => openHome(join(folder, 'x'.repeat(60)))).toThrow('at most 60 bytes');
  });

  it('cannot be a file', () => {
    writeFileSync(join(folder, 'file'), '');
    expect(() => openHome(join(folder, 'file'))).toThrow(/cannot use .*file as the state folder/);
  });
});

describe('secrets', () => {
  it('are made once, differ from each other, and are readable for their owner only', () => {
    const home = openHome(join(folder, 'home'));
    const secrets = readSecrets(home, ['kms', 'volumes']);
    expect(readSecrets(home, ['kms', 'volumes'])).toEqual(secrets);
    const passwords = [
      secrets.postgres,
      secrets.nats,
      ...Object.values(secrets.roles).flatMap((r) => [r.owner, r.service]),
    ];
    expect(new Set(passwords).size).toBe(6);
    expect(passwords.every((password) => password.length >= 32)).toBe(true);
    expect(modeOf(homePaths(home).secrets)).toBe(0o600);
  });

  it('of a service that is new are added, the others stay', () => {
    const home = openHome(join(folder, 'home'));
    const before = readSecrets(home, ['kms']);
    const after = readSecrets(home, ['kms', 'audit']);
    expect(after).toEqual({ ...before, roles: { ...before.roles, audit: after.roles['audit'] } });
    expect(readSecrets(home, ['kms', 'audit'])).toEqual(after);
  });

  it('that are damaged are not replaced', () => {
    const home = openHome(join(folder, 'home'));
    writeFileSync(homePaths(home).secrets, '{"postgres":');
    expect(() => readSecrets(home, ['kms'])).toThrow('is damaged');
    expect(readFileSync(homePaths(home).secrets, 'utf8')).toBe('{"postgres":');
  });
});
